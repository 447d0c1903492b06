"""Takes from this process, for good, what it does not need: called before it meets a stranger."""

import os
import signal
import struct
import sys
from pathlib import Path

from xnai.processes.sandbox import landlock, seccomp
from xnai.processes.sandbox.kernel import prctl, syscall
from xnai.processes.sandbox.profiles import Profile
from xnai.processes.sandbox.syscalls import numbers

_SET_PDEATHSIG, _SET_NO_NEW_PRIVS = 1, 38
_CAPABILITIES = 0x20080522  # the version of capset(2)
_READING = 0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: an administrator's files may be others'
_PRIVATE = 0o077


def be_killed_with_parent(parent: int) -> None:
    """Have the system kill this process when its parent ends; only Linux can.

    Args:
        parent: process id of whoever started this process.

    """
    prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before it could be watched
        os._exit(1)


def confine(profile: Profile) -> bool:
    """Allow from now on what a profile says, for this process and whatever it becomes.

    What the kernel does not have is left out, and the rest holds. Landlock holds the thread that
    calls this and those that it starts: call it while there is one.

    Returns:
        Whether there was one.

    """
    os.umask(_PRIVATE)
    alone = _threads() == 1
    _drop_capabilities()
    if prctl(_SET_NO_NEW_PRIVS, 1) != 0:  # without it neither may be asked for
        return alone
    landlock.restrict(_beneath(profile))
    allowed = seccomp.rules(
        os.getpid(),
        writes=bool(profile.write),
        programs=bool(profile.execute),
        devices=bool(profile.devices),
    )
    seccomp.install(seccomp.program(allowed))
    return alone


def _beneath(profile: Profile) -> landlock.Rules:
    for path in profile.read:
        yield path, landlock.READ
    for number in profile.descriptors:
        yield f"/proc/self/fd/{number}", landlock.READ
    for path in profile.write:
        yield path, landlock.WRITE
    for path in profile.execute:
        yield path, landlock.READ | landlock.EXECUTE
    for path in profile.devices:
        yield path, landlock.DEVICE


def _threads() -> int:
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return 1


def _drop_capabilities() -> None:
    if sys.platform != "linux" or os.geteuid() != 0 or not numbers():
        return
    # Effective, permitted and inheritable, of the lower and of the upper half.
    sets = struct.pack("=6I", _READING, _READING, 0, 0, 0, 0)
    header = struct.pack("=Ii", _CAPABILITIES, 0)
    if syscall(numbers()["capset"], header, sets) != 0:
        syscall(numbers()["capset"], header, bytes(len(sets)))
