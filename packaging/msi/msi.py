"""What is made for the package from lists, and the look at what wixl made of it.

    msi.py make TREE INTO VERSION PACKAGE-VERSION
                                      kiosk-*.wxi and docs*.wxi from kiosk.tsv and TREE/docs, statements.sql from
                                      package.sql
    msi.py program EXE VERSION        whether a program carries its version, its icon and its manifest
    msi.py tables MSI                 all tables as text, without what differs from build to build
    msi.py asked WXS MSI              whether everything that the wxs (preprocessed, from wixl -E) asks for is in the
                                      tables; an element or attribute that this look does not know is a failure too
"""

import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import uuid
import xml.etree.ElementTree as tree

HERE = pathlib.Path(__file__).parent
# Component identifiers are made from what they are for, so that they stay the same from version to version.
SPACE = uuid.UUID("0f6e3a52-7c57-4c1c-8f5b-6a7e1d1b00ff")
MARKS = r"SOFTWARE\Cleanshift\Kiosk"


def guid(name):
    return str(uuid.uuid5(SPACE, name)).upper()


def kiosk():
    lines = (HERE / "kiosk.tsv").read_text().splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def write(into, name, elements):
    (into / name).write_text("<Include>\n" + "\n".join(elements) + "\n</Include>\n")


def make(into, from_tree, version, package):
    properties, components, refs, statements = [], [], [], []
    secure = ["ACCOUNTWAS", "KIOSKWAS", "PURGE", "SERVICEWAS", "STATIONACCOUNT", "WIX_DOWNGRADE_DETECTED", "WIX_UPGRADE_DETECTED"]
    for name, key, value, number in kiosk():
        there, ours = f"THERE_{name.upper()}", f"OURS_{name.upper()}"
        for prop, at, of in ((there, key, value), (ours, MARKS, name)):
            properties.append(
                f'<Property Id="{prop}"><RegistrySearch Id="{prop}" Root="HKLM" Key="{at}" Name="{of}" Type="raw"'
                ' Win64="yes"/></Property>'
            )
        components.append(
            f'<Component Id="Kiosk{name}" Guid="{guid("kiosk " + name)}" Win64="yes">'
            f'<RegistryValue Root="HKLM" Key="{MARKS}" Name="{name}" Type="integer" Value="1" KeyPath="yes"/>'
            f'<RegistryValue Root="HKLM" Key="{key}" Name="{value}" Type="integer" Value="{number}"/></Component>'
        )
        refs.append(f'<ComponentRef Id="Kiosk{name}"/>')
        # wixl has no conditions on components. What somebody else has set is left alone.
        statements.append(
            f"UPDATE `Component` SET `Condition`='NOT {there} OR {ours}' WHERE `Component`='Kiosk{name}'"
        )
        secure += [there, ours]
    # Where a person with her rights raised installs, only these reach the part of Windows that does it.
    statements.append(
        f"UPDATE `Property` SET `Value`='{';'.join(sorted(secure))}' WHERE `Property`='SecureCustomProperties'"
    )
    write(into, "kiosk-properties.wxi", properties)
    write(into, "kiosk-components.wxi", components)
    write(into, "kiosk-refs.wxi", refs)

    docs, refs = [], []
    for directory in ("docs", "policies"):
        docs.append(f'<Directory Id="Dir_{directory}" Name="{directory}">')
        for file in sorted((from_tree / directory).iterdir()):
            name = f"{directory}/{file.name}"
            ident = re.sub(r"[^A-Za-z0-9_.]", "_", f"{directory}_{file.name}")
            docs.append(
                f'<Component Id="C_{ident}" Guid="{guid(name)}" Win64="yes">'
                f'<File Id="{ident}" Source="tree/{name}" KeyPath="yes"/></Component>'
            )
            refs.append(f'<ComponentRef Id="C_{ident}"/>')
        docs.append("</Directory>")
    write(into, "docs.wxi", docs)
    write(into, "docs-refs.wxi", refs)

    fixed = (HERE / "package.sql").read_text().replace("{VERSION}", version)
    fixed = fixed.replace("{PACKAGE}", package).splitlines()
    fixed = [line for line in fixed if line.strip() and not line.startswith("--")]
    (into / "statements.sql").write_text("\n".join(fixed + statements) + "\n")


def said(*command):
    # `msiinfo export` lays the icons that a table holds where it is started.
    with tempfile.TemporaryDirectory() as place:
        ended = subprocess.run(command, cwd=place, capture_output=True, text=True, encoding="utf-8", errors="replace")
    if ended.returncode or ended.stderr:
        sys.exit(f"msi: {' '.join(command)} failed: {ended.stderr}")
    return ended.stdout


def table(msi, name):
    """The rows of a table, each as {column: value}."""
    lines = said("msiinfo", "export", msi, name).replace("\r", "").split("\n")
    columns = lines[0].split("\t")
    return [dict(zip(columns, line.split("\t"))) for line in lines[3:] if line]


def tables(msi):
    hidden = {
        ("_SummaryInformation", "9"), ("_SummaryInformation", "12"), ("_SummaryInformation", "13"),
        ("_SummaryInformation", "18"), ("Property", "ProductCode"), ("Property", "ProductVersion"),
    }  # fmt: skip
    for name in sorted(said("msiinfo", "tables", msi).split()):
        if name == "_ForceCodepage":
            continue
        rows = []
        for row in table(msi, name):
            values = list(row.values())
            if (name, values[0]) in hidden:
                values[1:] = ["*"]
            if name == "File":
                row["FileSize"] = "*"
                row["Version"] = "*" if row["Version"] else ""
                values = list(row.values())
            if name == "MsiFileHash":
                values[2:] = ["*"]
            if name == "Upgrade":
                values = ["*" if re.fullmatch(r"[0-9.]+", value) and "." in value else value for value in values]
            rows.append("\t".join(value for value in values).rstrip())
        for row in sorted(rows):
            yield f"{name}: {row}"


def program(exe, version):
    """What a program lacks. Read from its resources as bytes: Windows compares the version with the package's."""
    data = pathlib.Path(exe).read_bytes()
    fixed = data.find(bytes.fromhex("bd04effe"))  # VS_FIXEDFILEINFO
    if fixed < 0:
        yield "it has no version"
    else:
        high, low = struct.unpack_from("<II", data, fixed + 8)
        found = f"{high >> 16}.{high & 0xFFFF}.{low >> 16}.{low & 0xFFFF}"
        if found != version:
            yield f"its version is {found} and not {version}"
    if f"OriginalFilename\0{pathlib.Path(exe).name}".encode("utf-16-le") not in data.replace(b"\0\0\0\0", b"\0\0"):
        yield "it is not called by its own name"
    for mark, what in ((b"PerMonitorV2", "manifest"), (b"\x89PNG", "icon")):
        if mark not in data[max(fixed, 0) - 200_000 :]:
            yield f"it has no {what}"


class Asked:
    """Walks the elements of a wxs and looks for what each attribute asks for in the tables."""

    # Attributes that say how the package is built, and leave nothing of their own.
    BUILD = {
        "Product": {"Id", "Language", "Codepage"},
        "Package": {"Compressed", "InstallScope", "InstallerVersion", "Description"},
        "Media": {"EmbedCab"},
        "File": {"Source"},
        "Icon": {"SourceFile"},
        "RegistrySearch": {"Win64"},
    }

    def __init__(self, msi):
        self.msi, self.lost, self.read = msi, [], {}

    def rows(self, name):
        if name not in self.read:
            self.read[name] = table(self.msi, name)
        return self.read[name]

    def row(self, name, what, **wanted):
        """The one row that has what is wanted; what is missing is lost."""
        found = [row for row in self.rows(name) if all(row.get(key) == value for key, value in wanted.items())]
        if not found:
            self.lost.append(f"{what}: no row in {name} with {wanted}")
        return found[0] if found else {}

    def walk(self, element, parent=None, directory=None):
        kind = element.tag.split("}")[1]
        has = dict(element.attrib)
        for built in self.BUILD.get(kind, ()):
            has.pop(built, None)
        look = getattr(self, "look_" + kind, None)
        if look is None:
            self.lost.append(f"{kind}: an element that the look does not know")
            return
        left = look(element, has, parent, directory)
        for attribute in left:
            self.lost.append(f"{kind} {element.get('Id', '')}: nothing shows that {attribute} was kept")
        if kind == "Directory":
            directory = element.get("Id")
        for child in element:
            self.walk(child, element, directory)

    @staticmethod
    def without(has, *known):
        return [attribute for attribute in has if attribute not in known]

    def prop(self, name, value):
        self.row("Property", f"property {name}", Property=name, Value=value)

    def look_Wix(self, element, has, *_):
        return has

    def look_Product(self, element, has, *_):
        for attribute, name in (("Name", "ProductName"), ("Version", "ProductVersion"), ("Manufacturer",) * 2):
            self.prop(name, has[attribute])
        self.prop("UpgradeCode", "{" + has["UpgradeCode"] + "}")
        self.prop("ALLUSERS", "1")
        return self.without(has, "Name", "Version", "Manufacturer", "UpgradeCode")

    def look_Package(self, element, has, *_):
        return has

    def look_Media(self, element, has, *_):
        self.row("Media", "media", DiskId=has["Id"], Cabinet="#" + has["Cabinet"])
        return self.without(has, "Id", "Cabinet")

    def look_MajorUpgrade(self, element, has, *_):
        self.row("LaunchCondition", "downgrade", Description=has["DowngradeErrorMessage"])
        return self.without(has, "DowngradeErrorMessage")

    def look_Condition(self, element, has, *_):
        self.row("LaunchCondition", "condition", Condition=element.text, Description=has["Message"])
        return self.without(has, "Message")

    def look_Icon(self, element, has, *_):
        self.row("Icon", "icon", Name=has["Id"])
        return self.without(has, "Id")

    def look_Property(self, element, has, *_):
        if "Value" in has:
            self.prop(has["Id"], has["Value"])
        return self.without(has, "Id", "Value")

    def look_RegistrySearch(self, element, has, parent, _):
        self.row("AppSearch", has["Id"], Property=parent.get("Id"), Signature_=has["Id"])
        # 2 a value as it is, 16 of the 64-bit registry.
        self.row("RegLocator", has["Id"], Signature_=has["Id"], Root="2", Key=has["Key"], Name=has["Name"], Type="18")
        return self.without(has, "Id", "Root", "Key", "Name", "Type")

    def look_Directory(self, element, has, parent, directory):
        row = self.row("Directory", has["Id"], Directory=has["Id"], Directory_Parent=directory or "")
        if has.get("Name", ".") not in row.get("DefaultDir", "").split("|"):
            self.lost.append(f"directory {has['Id']}: is called {row.get('DefaultDir')}")
        return self.without(has, "Id", "Name")

    def look_Component(self, element, has, parent, directory):
        row = self.row(
            "Component", has["Id"], Component=has["Id"], Directory_=directory, ComponentId="{" + has["Guid"] + "}"
        )
        bits = int(row.get("Attributes", 0))
        if (has.get("Win64") == "yes") != bool(bits & 256):
            self.lost.append(f"component {has['Id']}: Win64 is not as asked")
        for attribute, bit in (("NeverOverwrite", 128), ("Permanent", 16)):
            if attribute in has and (has[attribute] == "yes") != bool(bits & bit):
                self.lost.append(f"component {has['Id']}: {attribute} is not as asked")
        keys = [child for child in element if child.get("KeyPath") == "yes"]
        # One that lays nothing but its directory has that for its key.
        if not keys and (row.get("KeyPath") or [child.tag.split("}")[1] for child in element] != ["CreateFolder"]):
            self.lost.append(f"component {has['Id']}: nothing is its key")
        return self.without(has, "Id", "Guid", "Win64", "NeverOverwrite", "Permanent")

    def key_path(self, has, parent, key):
        if has.get("KeyPath") == "yes":
            self.row("Component", f"key of {parent.get('Id')}", Component=parent.get("Id"), KeyPath=key)

    def look_File(self, element, has, parent, _):
        source = pathlib.Path(self.msi).parent / element.get("Source")
        row = self.row("File", has["Id"], File=has["Id"], Component_=parent.get("Id"))
        if source.name not in row.get("FileName", "").split("|"):
            self.lost.append(f"file {has['Id']}: is called {row.get('FileName')}")
        if row and int(row["FileSize"]) != source.stat().st_size:
            self.lost.append(f"file {has['Id']}: has another size")
        self.key_path(has, parent, has["Id"])
        return self.without(has, "Id", "KeyPath")

    def look_RegistryValue(self, element, has, parent, _):
        value = ("#" if has["Type"] == "integer" else "") + has["Value"]
        row = self.row(
            "Registry", has["Key"], Root="2", Key=has["Key"], Name=has["Name"], Value=value, Component_=parent.get("Id")
        )
        self.key_path(has, parent, row.get("Registry"))
        return self.without(has, "Root", "Key", "Name", "Type", "Value", "KeyPath")

    def look_CreateFolder(self, element, has, parent, directory):
        self.row("CreateFolder", parent.get("Id"), Directory_=directory, Component_=parent.get("Id"))
        return has

    def look_Shortcut(self, element, has, parent, directory):
        self.row(
            "Shortcut", has["Id"], Shortcut=has["Id"], Directory_=directory, Component_=parent.get("Id"),
            Name=has["Name"], Target=has["Target"], Arguments=has["Arguments"], WkDir=has["WorkingDirectory"],
            Icon_=has["Icon"], IconIndex=has["IconIndex"], Description=has["Description"],
        )  # fmt: skip
        known = ("Name", "Target", "Arguments", "WorkingDirectory", "Icon", "IconIndex", "Description")
        return self.without(has, "Id", *known)

    def look_ServiceControl(self, element, has, parent, _):
        bits = {"install": (1, 0), "uninstall": (0, 1), "both": (1, 1)}
        event = 0
        for attribute, low in (("Start", 1), ("Stop", 2), ("Remove", 8)):
            at_install, at_removal = bits.get(has.get(attribute), (0, 0))
            event |= at_install * low | at_removal * low << 4
        self.row(
            "ServiceControl", has["Id"], ServiceControl=has["Id"], Name=has["Name"], Event=str(event),
            Wait="1" if has["Wait"] == "yes" else "0", Component_=parent.get("Id"),
        )  # fmt: skip
        return self.without(has, "Id", "Name", "Start", "Stop", "Remove", "Wait")

    def look_Feature(self, element, has, *_):
        row = self.row(
            "Feature", has["Id"], Feature=has["Id"], Level=has["Level"], Title=has["Title"],
            Description=has["Description"],
        )  # fmt: skip
        if (has.get("Absent") == "disallow") != bool(int(row.get("Attributes", 0)) & 16):
            self.lost.append(f"feature {has['Id']}: Absent is not as asked")
        return self.without(has, "Id", "Level", "Title", "Description", "Absent")

    def look_ComponentRef(self, element, has, parent, _):
        self.row("FeatureComponents", has["Id"], Feature_=parent.get("Id"), Component_=has["Id"])
        return self.without(has, "Id")

    def look_InstallExecuteSequence(self, element, has, *_):
        return has

    def look_RemoveExistingProducts(self, element, has, *_):
        numbers = {row["Action"]: int(row["Sequence"]) for row in self.rows("InstallExecuteSequence")}
        if not numbers.get("RemoveExistingProducts", 0) > numbers[has["After"]]:
            self.lost.append(f"RemoveExistingProducts: is not after {has['After']}")
        return self.without(has, "After")

    def look_CustomAction(self, element, has, *_):
        self.row("CustomAction", has["Id"], Action=has["Id"])
        return self.without(has, "Id")


def asked(wxs, msi):
    look = Asked(msi)
    look.walk(tree.parse(wxs).getroot())
    return look.lost


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["make", from_tree, into, version, package]:
            make(pathlib.Path(into), pathlib.Path(from_tree), version, package)
        case ["program", exe, version]:
            lacks = list(program(exe, version))
            for what in lacks:
                print(f"msi: {exe}: {what}", file=sys.stderr)
            sys.exit(1 if lacks else 0)
        case ["tables", msi]:
            print("\n".join(tables(msi)))
        case ["asked", wxs, msi]:
            lost = asked(wxs, msi)
            for what in lost:
                print(f"msi: {what}", file=sys.stderr)
            sys.exit(1 if lost else 0)
        case _:
            sys.exit(__doc__)
