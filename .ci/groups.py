"""What a JUnit report says about a run of the tests.

`groups.py REPORT GROUP...` fails unless every group ran and no test was skipped, and names the
modules that took longest. A group is a folder of tests/, or what stands for tests that need
something: ``engine``, those of the worker process, and ``capable_model``.

`groups.py --failed REPORT` prints the tests that failed, and fails where they are not few.
"""

import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree as ET

NEEDY = {
    "engine": "tests.integration.llm.test_engine",
    "capable_model": "tests.integration.llm.test_capable_model",
}
LONGEST = 15  # modules that are named
FEW = 12  # modules; more are no accident. All tests of one may fail with the server that they share


def failed(report: str) -> int:
    """Print the failed tests of a JUnit report; returns the exit status."""
    tests = [
        test
        for test in ET.parse(report).iter("testcase")
        if test.find("failure") is not None or test.find("error") is not None
    ]
    print("\n".join(f"{test.get('classname')}.{test.get('name')}" for test in tests))
    return 0 if 0 < len({test.get("classname") for test in tests}) <= FEW else 1


def seconds(tests: list[ET.Element]) -> dict[str, float]:
    """Return how long the tests of each module took with their fixtures, the longest first."""
    took: defaultdict[str, float] = defaultdict(float)
    for test in tests:
        took[str(test.get("classname"))] += float(test.get("time", 0))
    return dict(sorted(took.items(), key=lambda item: -item[1]))


def main(report: str, *groups: str) -> int:
    """Read a JUnit report; returns the exit status."""
    tests = list(ET.parse(report).iter("testcase"))
    problems = [
        f"skipped: {test.get('classname')}.{test.get('name')}: {skipped.get('message')}"
        for test in tests
        for skipped in test.findall("skipped")
    ]
    for group in groups:
        prefix = NEEDY.get(group, f"tests.{group}.")
        count = sum(str(test.get("classname")).startswith(prefix) for test in tests)
        print(f"{group}: {count} tests")
        if not count:
            problems.append(f"no test of the group {group!r} ran")
    modules = seconds(tests)
    print(f"all modules took {sum(modules.values()):.0f} s, the longest of them:")
    for module in list(modules)[:LONGEST]:
        print(f"{modules[module]:6.0f} s  {module}")
    print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    wanted = sys.argv[1:]
    work = failed if wanted[0] == "--failed" else main
    wanted = wanted[work is failed :]
    if not Path(wanted[0]).is_file():
        sys.exit(f"{wanted[0]} is not there: pytest did not finish")
    sys.exit(work(*wanted))
