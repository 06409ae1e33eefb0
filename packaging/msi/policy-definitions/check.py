"""Whether the policy definitions of a directory hold together: well-formed, each reference to a string, a presentation, a
category, a supported system or an element has what it names, nothing is left over, and the shell's source names
each registry value that a policy writes.

    check.py DIRECTORY
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as tree

SPACE = "{http://schemas.microsoft.com/GroupPolicy/2006/07/PolicyDefinitions}"
HERE = pathlib.Path(__file__).parent
READERS = HERE / "../../../src/platform/windows"


def wrong(directory):
    definitions = tree.parse(directory / "Cleanshift.admx").getroot()
    resources = tree.parse(directory / "en-US" / "Cleanshift.adml").getroot()
    given = {
        "string": {element.get("id") for element in resources.iter(SPACE + "string") if (element.text or "").strip()},
        "presentation": {element.get("id") for element in resources.iter(SPACE + "presentation")},
    }
    used = {"string": set(), "presentation": set()}
    for element in definitions.iter():
        for value in element.attrib.values():
            for kind, name in re.findall(r"\$\((string|presentation)\.([^)]*)\)", value):
                used[kind].add(name)
    for kind in used:
        for name in sorted(used[kind] - given[kind]):
            yield f"{kind} {name} is named and not there"
        for name in sorted(given[kind] - used[kind]):
            yield f"{kind} {name} is there and not named"

    categories = {element.get("name") for element in definitions.iter(SPACE + "category")}
    systems = {element.get("name") for element in definitions.iter(SPACE + "definition")}
    shown = {element.get("refId") for element in resources.iter() if element.get("refId")}
    asked = set()
    policies = list(definitions.iter(SPACE + "policy"))
    if not policies:
        yield "there is no policy"
    source = "\n".join(file.read_text() for file in sorted(READERS.rglob("*.rs")))
    for policy in policies:
        name = policy.get("name")
        for part, there in (("parentCategory", categories), ("supportedOn", systems)):
            element = policy.find(SPACE + part)
            if element is None or element.get("ref") not in there:
                yield f"policy {name}: {part} names nothing that is there"
        if policy.get("key") not in source:
            yield f"policy {name}: the shell does not read {policy.get('key')}"
        elements = policy.find(SPACE + "elements")
        values = [] if elements is None else list(elements)
        asked |= {value.get("id") for value in values}
        for value_name in [policy.get("valueName")] + [value.get("valueName") for value in values]:
            if value_name and f'"{value_name}"' not in source:
                yield f"policy {name}: the shell does not read the value {value_name}"
    for name in sorted(asked ^ shown):
        yield f"element {name} is not in both files"


if __name__ == "__main__":
    found = list(wrong(pathlib.Path(sys.argv[1])))
    for what in found:
        print(f"policy-definitions: {what}", file=sys.stderr)
    sys.exit(1 if found else 0)
