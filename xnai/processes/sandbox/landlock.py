"""Which files exist for a process: Landlock, landlock(7), by its system calls.

Beneath the paths that are named, what is named is allowed; all else is refused, and so are TCP, a
look into processes outside, and (from Linux 6.12 on) signals to them. Looking up whether a file
exists and how long it is cannot be refused.
"""

import contextlib
import os
import stat
import struct
from collections.abc import Iterable, Mapping

from xnai.processes.sandbox.kernel import syscall

_CREATE, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on all architectures
_VERSION, _BENEATH = 1, 1

EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_FILE, _MAKE_DIR, _MAKE_FILE, _REMOVE_DIR = 1 << 5, 1 << 7, 1 << 8, 1 << 4
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
READ = _READ_FILE | _READ_DIR
WRITE = READ | _WRITE_FILE | _REMOVE_FILE | _REMOVE_DIR | _MAKE_DIR | _MAKE_FILE | _TRUNCATE
DEVICE = READ | _WRITE_FILE | _IOCTL
_OF_FILES = EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL

# What a version can refuse: of files, of the network, of what is outside.
_FILES = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_NETWORK = {1: 0, 4: 0b11}
_SCOPES = {1: 0, 6: 0b11}

Rules = Iterable[tuple[str, int]]


def version() -> int:
    """Which version the kernel has; 0: none."""
    if not hasattr(os, "O_PATH"):
        return 0
    return max(0, syscall(_CREATE, None, 0, _VERSION))


def _newest(table: Mapping[int, int], known: int) -> int:
    return table[max(number for number in table if number <= known)]


def restrict(rules: Rules) -> int:
    """Refuse this thread, and all it starts, every file but those named.

    Args:
        rules: paths, and what is allowed beneath each; those that are not there are left out.

    Returns:
        The version of Landlock that does so, 0 if none does.

    """
    known = version()
    if known == 0:
        return 0
    files = _newest(_FILES, known)
    attributes = struct.pack("=QQQ", files, _newest(_NETWORK, known), _newest(_SCOPES, known))
    # Older kernels take a longer structure as long as what they do not know is zero.
    ruleset = syscall(_CREATE, attributes, len(attributes), 0)
    if ruleset < 0:
        return 0
    try:
        for path, allowed in rules:
            with contextlib.suppress(OSError):
                _allow(ruleset, path, allowed & files)
        return known if syscall(_RESTRICT_SELF, ruleset, 0) == 0 else 0
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, allowed: int) -> None:
    number = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(number).st_mode):
            allowed &= _OF_FILES
        syscall(_ADD_RULE, ruleset, _BENEATH, struct.pack("=Qi", allowed, number), 0)
    finally:
        os.close(number)
