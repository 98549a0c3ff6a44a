"""Prints "passed failed skipped" of a JUnit report, and names what failed or was skipped on standard error."""

import sys
import xml.etree.ElementTree

try:
    cases = xml.etree.ElementTree.parse(sys.argv[1]).iter("testcase")
except (OSError, xml.etree.ElementTree.ParseError) as error:
    print(f"failed: no report: {error}", file=sys.stderr)
    print(0, 1, 0)
    sys.exit()

passed = failed = skipped = 0
for case in cases:
    name = ".".join(filter(None, (case.get("classname"), case.get("name"))))
    if case.find("failure") is not None or case.find("error") is not None:
        failed += 1
        print(f"failed: {name}", file=sys.stderr)
    elif case.find("skipped") is not None:
        skipped += 1
        print(f"skipped: {name}", file=sys.stderr)
    else:
        passed += 1
print(passed, failed, skipped)
