"""Tries, from inside a confined process, what a file that has taken it over would try.

Each attempt that succeeds is a hole. The targets are decoys, but for the parent process, to which
nothing is done that it would feel.
"""

import contextlib
import ctypes
import errno
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from xnai.processes.sandbox.kernel import error, prctl, syscall
from xnai.processes.sandbox.syscalls import numbers

Targets = Mapping[str, str]
Attempt = Callable[[], object]

_PTRACE_SEIZE = 0x4206
_SECRETS = ("KEY", "TOKEN", "SECRET", "PASSW", "CREDENTIAL")
_REFUSED = {errno.EPERM, errno.EACCES, errno.ENOSYS}
_SHELL = "/bin/sh"
LAST = "run a shell in this process's place"


def attempts(targets: Targets, *, alone: bool = True) -> Iterator[dict[str, str]]:
    """Make all attempts, and tell of each what it was and why it failed; ``""``: it has not.

    Args:
        targets: paths of decoys: ``document``, ``index`` and ``secret`` (files) in ``folder``, and
            the ``port`` of a listening socket.
        alone: whether this process had one thread when it was confined.

    """
    if not alone:
        yield {"attempt": "use a thread that Landlock does not hold", "refused": ""}
    for name, attempt in {**_files(targets), **_network(targets), **_others(), **_self()}.items():
        yield {"attempt": name, "refused": _outcome(attempt)}
    # The last one: had it worked, nobody would be here to tell.
    yield {"attempt": LAST, "refused": _outcome(_become_shell)}


def _outcome(attempt: Attempt) -> str:
    try:
        attempt()
    except OSError as exc:
        # Any other error means that the kernel went about it.
        return errno.errorcode[exc.errno] if exc.errno in _REFUSED else ""
    return ""


def _call(name: str, *arguments: int | bytes | None) -> None:
    """Make a system call by its name."""
    if syscall(numbers()[name], *arguments) < 0:
        code = error()
        raise OSError(code, os.strerror(code))


def _files(targets: Targets) -> dict[str, Attempt]:
    folder, document = Path(targets["folder"]), Path(targets["document"])
    kinds = ("document", "index", "secret")
    reading = {f"read the {kind}": Path(targets[kind]).read_bytes for kind in kinds}
    return {
        **reading,
        "list the folder of documents": lambda: os.scandir(folder).close(),
        "list the settings of the system": lambda: os.scandir("/etc").close(),
        "list the root folder": lambda: os.scandir("/").close(),
        "read the passwords of the system": Path("/etc/passwd").read_bytes,
        "overwrite a document": lambda: os.close(os.open(document, os.O_RDWR)),
        "empty a document": lambda: os.truncate(document, 0),
        "delete a document": document.unlink,
        "rename a document": lambda: document.rename(folder / "renamed"),
        "make a file beside it": (folder / "new").touch,
        "make a folder beside it": (folder / "new-folder").mkdir,
        "link to it": lambda: (folder / "link").hardlink_to(document),
        "make a symbolic link": lambda: (folder / "symbolic").symlink_to(document),
        "make a file in /tmp": lambda: os.close(os.open("/tmp", os.O_TMPFILE | os.O_RDWR)),  # noqa: S108
        "change its rights": lambda: document.chmod(0o777),
        "write into Python's own files": lambda: Path(os.__file__).open("ab").close(),
    }


def _network(targets: Targets) -> dict[str, Attempt]:
    def connect() -> None:
        with socket.socket() as made:
            made.connect(("127.0.0.1", int(targets["port"])))

    return {
        "connect to a port of this machine": connect,
        "open a UDP socket": lambda: socket.socket(type=socket.SOCK_DGRAM).close(),
        "open an IPv6 socket": lambda: socket.socket(socket.AF_INET6).close(),
        "open a Unix socket": lambda: socket.socket(socket.AF_UNIX).close(),
        "open a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
        "make a pair of sockets": socket.socketpair,
        "use io_uring": lambda: _call("io_uring_setup", 1, bytes(120)),
    }


def _others() -> dict[str, Attempt]:
    parent = os.getppid()
    memory = ctypes.create_string_buffer(8)

    def peek() -> None:
        vector = (ctypes.c_size_t * 2)(ctypes.addressof(memory), len(memory))
        _call("process_vm_readv", parent, bytes(vector), 1, bytes(vector), 1, 0)

    def fork() -> None:
        if os.fork() == 0:
            os._exit(0)

    def spawn() -> None:
        os.waitpid(os.posix_spawn(_SHELL, [_SHELL, "-c", ":"], {}), 0)

    def own_signals() -> None:
        import fcntl  # noqa: PLC0415 - not on every system

        fcntl.fcntl(1, fcntl.F_SETOWN, parent)

    return {
        "read the memory of the parent": lambda: os.close(
            os.open(f"/proc/{parent}/mem", os.O_RDONLY)
        ),
        "write into the memory of the parent": lambda: os.close(
            os.open(f"/proc/{parent}/mem", os.O_RDWR)
        ),
        "read the environment of the parent": Path(f"/proc/{parent}/environ").read_bytes,
        "list the files of the parent": lambda: os.scandir(f"/proc/{parent}/fd").close(),
        "copy memory of the parent": peek,
        "trace the parent": lambda: _call("ptrace", _PTRACE_SEIZE, parent, 0, 0),
        "take a file of the parent": lambda: _call("pidfd_open", parent, 0),
        "send the parent a signal": lambda: os.kill(parent, 0),
        "send its group a signal": lambda: os.kill(-parent, 0),
        "have the kernel signal the parent": own_signals,
        "tie the parent to one processor": lambda: os.sched_setaffinity(
            parent, os.sched_getaffinity(parent)
        ),
        "slow the parent down": lambda: os.setpriority(
            os.PRIO_PROCESS, parent, os.getpriority(os.PRIO_PROCESS, parent)
        ),
        "limit the parent": lambda: _call("prlimit64", parent, 7, None, bytes(memory) * 2),
        "start a process": fork,
        "start a shell": spawn,
    }


def _self() -> dict[str, Attempt]:
    def secrets() -> None:
        told = [name for name in os.environ if name.startswith("XNAI_")]
        told += [name for name in os.environ if any(word in name.upper() for word in _SECRETS)]
        if not told:
            raise PermissionError(errno.EPERM, "nothing is told")

    def descriptors() -> None:
        found = [number for number in range(3, 256) if _is_other(number)]
        if not found:
            raise PermissionError(errno.EPERM, "nothing is open")

    def run_from_memory() -> None:
        number = os.memfd_create("program")
        try:
            _call("execveat", number, b"\0", None, None, 0x1000)
        finally:
            os.close(number)

    def outlive() -> None:
        if prctl(1, 0) != 0:
            raise OSError(error(), "refused")

    return {
        "find a key in the environment": secrets,
        "find a file that was left open": descriptors,
        "run a program from memory": run_from_memory,
        "outlive the parent": outlive,
        "gain rights by a namespace": lambda: _call("unshare", 0x10000000),
        "mount a file system": lambda: _call("mount", b"none\0", b"/\0", b"tmpfs\0", 0, None),
        "open a file by its number": lambda: _call("open_by_handle_at", -1, bytes(16), 0),
        "load a program into the kernel": lambda: _call("bpf", 5, bytes(64), 64),
        "watch the processor": lambda: _call("perf_event_open", bytes(120), 0, -1, -1, 0),
        "handle page faults itself": lambda: _call("userfaultfd", 1),
        "read the kernel's keys": lambda: _call("keyctl", 0, -3, 0, 0, 0),
        "share memory with others": lambda: _call("shmget", 0, 4096, 0o1600),
    }


def _is_other(number: int) -> bool:
    """Whether a descriptor is of a file on a disk that is no library of ours."""
    with contextlib.suppress(OSError):
        name = str(Path(f"/proc/self/fd/{number}").readlink())
        return name.startswith("/") and not name.startswith(("/dev/null", "/proc/"))
    return False


def _become_shell() -> None:
    os.execv(_SHELL, [_SHELL, "-c", ":"])  # noqa: S606 - it must not work


if __name__ == "__main__":
    for told in attempts(json.loads(sys.argv[1])):
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
