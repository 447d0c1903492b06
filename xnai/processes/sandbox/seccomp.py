"""A filter of system calls, written as a small BPF program (seccomp(2)).

What is not named is refused with EPERM. Calls that are newer than our table do "not exist"
(ENOSYS), so that a libc falls back to older ones, as it does for clone3, whose flags lie in memory
where a filter cannot look.
"""

import ctypes
import errno
import platform
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xnai.processes.sandbox.kernel import syscall
from xnai.processes.sandbox.syscalls import NEWEST, numbers

_ARCHITECTURES = {"x86_64": 0xC000003E, "amd64": 0xC000003E, "aarch64": 0xC00000B7}
_ARCHITECTURES["arm64"] = _ARCHITECTURES["aarch64"]
_X32 = 0x40000000  # the other table of x86_64

# BPF: load a word; jump if equal, if not less, if a bit is set; return.
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16  # of struct seccomp_data
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000

_STEP = 8  # bytes
_SET_MODE_FILTER, _ALL_THREADS = 1, 1

_CLONE_THREAD = 0x10000
_WRITING = 0o1 | 0o2 | 0o100 | 0o1000  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC
_FCNTL_SIGNALS = (8, 10, 15, 1024, 1026)  # F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY
# TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_CAPBSET_READ,
# PR_GET_NO_NEW_PRIVS, PR_SET_VMA
_PRCTLS = (2, 3, 15, 16, 23, 39, 0x53564D41)


def _names(text: str) -> list[str]:
    return text.split()


_ALLOWED = _names("""
access arch_prctl brk capget clock_getres clock_gettime clock_nanosleep close close_range dup dup2
dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 exit
exit_group faccessat faccessat2 fadvise64 fstat fstatfs ftruncate futex futex_requeue futex_wait
futex_waitv futex_wake get_mempolicy get_robust_list getcpu getcwd getdents getdents64 getegid
geteuid getgid getgroups getitimer getpgid getpgrp getpid getppid getpriority getrandom getresgid
getresuid getrlimit getrusage getsid gettid gettimeofday getuid lseek lstat madvise membarrier
memfd_create mincore mlock mlock2 mmap mprotect mremap msync munlock munmap nanosleep newfstatat
pipe pipe2 poll ppoll pread64 preadv preadv2 pselect6 pwrite64 pwritev pwritev2 read readahead
readlink readlinkat readv restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask
rt_sigreturn rt_sigsuspend rt_sigtimedwait sched_get_priority_max sched_get_priority_min
sched_getaffinity sched_getparam sched_getscheduler sched_yield select set_robust_list
set_tid_address setitimer setrlimit sigaltstack stat statfs statx sysinfo timer_create timer_delete
timer_gettime timer_settime times umask uname write writev
""")
# Not chmod, chown and utimensat: Landlock lets them reach every file.
_FOR_WRITING = _names("""
copy_file_range fallocate fdatasync flock fsync mkdir mkdirat rename renameat renameat2 rmdir
sendfile unlink unlinkat
""")
_FOR_PROGRAMS = ("chdir", "execve", "fchdir")
_DOES_NOT_EXIST = ("clone3", "openat2")


@dataclass(frozen=True, slots=True)
class _If:
    """An argument decides: it is one of some values, or has (or has not) a bit of a mask."""

    argument: int
    values: tuple[int, ...] = ()
    mask: int = 0
    then: bool = True  # whether the call is allowed if that is so


_Rules = Mapping[str, _If | None]


def rules(process_id: int, *, writes: bool, programs: bool, devices: bool) -> _Rules:
    """Return which calls a process may make, by name.

    Args:
        process_id: its own, which alone it may send signals to.
        writes: whether it may change files (which ones is Landlock's matter).
        programs: whether it may become another program.
        devices: whether it may control devices.

    """
    own = (0, process_id)
    allowed: dict[str, _If | None] = dict.fromkeys(_ALLOWED)
    allowed["clone"] = _If(0, mask=_CLONE_THREAD)
    allowed["fcntl"] = _If(1, values=_FCNTL_SIGNALS, then=False)
    allowed["prctl"] = _If(0, values=_PRCTLS)
    allowed["ioctl"] = None if devices else _If(1, values=_IOCTLS)
    allowed["kill"] = allowed["tgkill"] = _If(0, values=(process_id,))
    allowed["prlimit64"] = _If(0, values=own)
    allowed["setpriority"] = _If(1, values=own)
    reading = _If(2, mask=_WRITING, then=False)
    allowed["openat"] = None if writes or devices else reading
    allowed["open"] = None if writes or devices else _If(1, mask=_WRITING, then=False)
    if writes:
        allowed |= dict.fromkeys(_FOR_WRITING)
    if programs:
        allowed |= dict.fromkeys(_FOR_PROGRAMS)
        del allowed["memfd_create"]  # what lies in memory could be run
    return allowed


def _step(code: int, value: int, if_so: int = 0, if_not: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_so, if_not, value)


def _answer(*, allowed: bool) -> bytes:
    return _step(_RETURN, _ALLOW if allowed else _ERRNO | errno.EPERM)


def _decision(rule: _If | None) -> Iterator[bytes]:
    """The steps for one call; they end with an answer."""
    if rule is None:
        yield _answer(allowed=True)
        return
    yield _step(_LOAD, _ARGUMENTS_AT + 8 * rule.argument)  # the low half of it
    tests = [(_EQUAL, value) for value in rule.values] or [(_ANY_BIT, rule.mask)]
    for code, value in tests:
        yield _step(code, value, 0, 1)
        yield _answer(allowed=rule.then)
    yield _answer(allowed=not rule.then)


def program(allowed: _Rules, machine: str | None = None) -> bytes:
    """Return the filter, empty for a machine whose numbers are not known."""
    known = numbers(machine)
    architecture = _ARCHITECTURES.get((machine or platform.machine()).lower())
    if not known or architecture is None:
        return b""
    missing = _step(_RETURN, _ERRNO | errno.ENOSYS)
    steps = [
        _step(_LOAD, _ARCHITECTURE_AT),
        _step(_EQUAL, architecture, 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER_AT),
        _step(_AT_LEAST, _X32, 0, 1),
        _answer(allowed=False),
        _step(_AT_LEAST, NEWEST + 1, 0, 1),
        missing,
    ]
    for name in _DOES_NOT_EXIST:
        steps += [_step(_EQUAL, known[name], 0, 1), missing]
    for name, rule in allowed.items():
        if name in known:
            decision = list(_decision(rule))
            steps += [_step(_EQUAL, known[name], 0, len(decision)), *decision]
    return b"".join([*steps, _answer(allowed=False)])


def install(filtered: bytes) -> bool:
    """Put all threads of this process under a filter for good; says whether the kernel did."""
    if not filtered:
        return False
    steps = ctypes.create_string_buffer(filtered, len(filtered))
    whole = struct.pack("@HP", len(filtered) // _STEP, ctypes.addressof(steps))  # sock_fprog
    return syscall(numbers()["seccomp"], _SET_MODE_FILTER, _ALL_THREADS, whole) == 0
