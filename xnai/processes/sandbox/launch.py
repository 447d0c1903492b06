"""Becomes another program, confined: ``python launch.py PARENT PROFILE MEMORY SECONDS PROGRAM...``.

For programs that cannot confine themselves. Memory is in megabytes; it and the processor's seconds
bound the program.
"""

import os
import sys

from xnai.processes.sandbox.confine import be_killed_with_parent, confine
from xnai.processes.sandbox.limits import limit
from xnai.processes.sandbox.profiles import Profile

WRITTEN = 2**28  # bytes of the largest file that a program may write


def main() -> None:
    """Confine this process, then run the program in its place."""
    parent, profile, memory_mb, seconds, *command = sys.argv[1:]
    be_killed_with_parent(int(parent))
    limit(int(memory_mb), float(seconds), WRITTEN)
    confine(Profile.from_json(profile))
    os.execv(command[0], command)  # noqa: S606 - no shell, and the profile names what may be run


if __name__ == "__main__":
    main()
