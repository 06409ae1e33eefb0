"""What stands in a Wine prefix that a package could have left, a line each: files below C:, and the values of
HKEY_LOCAL_MACHINE from a file that `reg export` wrote. Product codes are shown as {PRODUCT}; Windows Installer's own
copies and accounts of a product are left out.

    seen.py PREFIX EXPORTED
"""

import pathlib
import re
import sys

prefix, exported = map(pathlib.Path, sys.argv[1:])
drive = prefix / "drive_c"
for file in sorted(drive.rglob("*")):
    name = str(file.relative_to(drive)).replace("/", "\\")
    own = name.startswith(("windows\\Installer", "windows\\temp\\")) or "\\AppData\\Local\\Temp\\" in name
    if not own:
        print(f"{'directory' if file.is_dir() and not file.is_symlink() else 'file'} C:\\{name}")

text = exported.read_text(encoding="utf-16").replace("\\\r\n  ", "").replace("\\\n  ", "")
key = ""
for line in text.splitlines():
    if line.startswith("["):
        key = line[1:-1].replace("HKEY_LOCAL_MACHINE\\", "")
    elif "=" in line:
        if re.search(r"\\Installer\\(UserData|Products|Features|UpgradeCodes|Folders)\b", key):
            continue
        # Wine's notes on the graphics card, and how many services it has ever started.
        if re.search(r"\\Control\\(Class|Video)\\|\\Control\\ServiceCurrent$", key):
            continue
        place = re.sub(r"\\Uninstall\\\{[0-9A-Fa-f-]{36}\}", r"\\Uninstall\\{PRODUCT}", key)
        if place != key:
            # The day, the version as a number, the size and a path with a code differ from build to build.
            if re.match(r'"(InstallDate|Version|VersionM[a-z]*|EstimatedSize|ModifyPath|UninstallString|InstallSource|LocalPackage)"', line):
                line = line.split("=")[0] + "=*"
            line = re.sub(r"\{[0-9A-Fa-f-]{36}\}", "{PRODUCT}", line)
        print(f"value {place} {line}")
