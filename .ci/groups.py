"""`groups.py REPORT GROUP...`: fail unless every group ran and no test was skipped.

A group is a folder of tests/, or ``engine``: the tests of the compiled engine, which the tests of
the worker process stand for.
"""

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

ENGINE = "tests.integration.test_llm_engine"


def main(report: str, *groups: str) -> int:
    """Read a JUnit report; returns the exit status."""
    tests = list(ET.parse(report).iter("testcase"))
    problems = [
        f"skipped: {test.get('classname')}.{test.get('name')}: {skipped.get('message')}"
        for test in tests
        for skipped in test.findall("skipped")
    ]
    for group in groups:
        prefix = ENGINE if group == "engine" else f"tests.{group}."
        count = sum(str(test.get("classname")).startswith(prefix) for test in tests)
        print(f"{group}: {count} tests")
        if not count:
            problems.append(f"no test of the group {group!r} ran")
    print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    if not Path(sys.argv[1]).is_file():
        sys.exit(f"{sys.argv[1]} is not there: pytest did not finish")
    sys.exit(main(*sys.argv[1:]))
