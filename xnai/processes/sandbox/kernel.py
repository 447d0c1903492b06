"""System calls that Python has no function for; on another system than Linux they all fail."""

import ctypes
import sys

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def syscall(number: int, *arguments: int | bytes | None) -> int:
    """Make a system call; -1 if it fails."""
    if _libc is None:
        return -1
    words = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return int(_libc.syscall(ctypes.c_long(number), *words))


def prctl(option: int, *arguments: int) -> int:
    """Change how the kernel treats this process; -1 if it does not."""
    if _libc is None:
        return -1
    words = [ctypes.c_ulong(one) for one in (*arguments, 0, 0, 0, 0)[:4]]
    return int(_libc.prctl(option, *words))


def error() -> int:
    """Why the last call failed, as an error number."""
    return ctypes.get_errno()
