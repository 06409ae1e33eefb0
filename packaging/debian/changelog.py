"""Turns packaging/CHANGELOG.md into Debian's form. Use: changelog.py VERSION DATE < CHANGELOG.md

VERSION stands for what is not released yet; DATE is RFC 5322's, for all entries whose heading has none.
"""

import re
import sys
import textwrap


def main():
    version, date = sys.argv[1:3]
    trailer = f" -- Cleanshift maintainers <maintainers@cleanshift.example>  {date}\n"
    entries, points = [], None
    for line in sys.stdin:
        line = line.rstrip()
        if heading := re.match(r"## \[?([^\] ]+)", line):
            name = heading[1]
            points = []
            entries.append((version if name == "Unreleased" else name, points))
        elif points is None:
            continue
        elif line.startswith("### "):
            points.append(["[", line[4:], "]"])
        elif line.startswith("- "):
            points.append(["*", line[2:]])
        elif line.strip():
            points[-1].append(line.strip())
    if not entries:
        sys.exit("changelog.py: there is no entry")
    for number, points in entries:
        print(f"cleanshift ({number}) unstable; urgency=medium\n")
        for point in points:
            print(textwrap.fill(" ".join(point), 78, initial_indent="  ", subsequent_indent="    ", break_long_words=False))
        print(f"\n{trailer}")


main()
