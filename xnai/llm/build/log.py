"""What a build of the engine prints: how far it is, and why it failed."""

import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_NINJA = re.compile(r"^\s*\[(\d+)/(\d+)\] ")
_ERROR = re.compile(r"(?i)\berror\b[: ]|CMake Error|undefined reference")
_TAIL = 400  # lines in which the cause of a failure is looked for

FREE_SPACE = "Free 2 GB of disk space."
# The first pattern that the log has names the cause: pattern, reason, what to do.
_CAUSES = (
    (r"No space left on device", "the disk is full", FREE_SPACE),
    (
        r"Killed signal|error: Killed|out of memory|bad_alloc|virtual memory exhausted",
        "there was not enough memory for the compiler",
        "Close other programs; 2 GB of free memory are enough.",
    ),
    (
        r"(?i)ConnectionError|Connect ?Timeout|name resolution|timed out|ProxyError|versions: none",
        "the sources could not be fetched from the package registry",
        "Check the network.",
    ),
    (
        r"DO NOT MATCH THE HASHES",
        "the sources that the package registry sent are not the ones that were pinned",
        "Nothing of them was used; check which registry pip is set to.",
    ),
    (
        r"No matching distribution found",
        "the package registry does not have the pinned sources",
        "Check which registry pip is set to.",
    ),
    (
        r"CMAKE_C\w{0,8}_COMPILER could be|simple test program|(lib\.h|cc1plus'?): No such file",
        "the C++ compiler does not work",
        "Install a whole one (Debian, Ubuntu: sudo apt install build-essential).",
    ),
)
_KILLED = (137, -9)


@dataclass(frozen=True, slots=True)
class FailureCause:
    """Why a command of the build failed: ``reason`` has no full stop, ``fix`` is a sentence.

    ``of_sources``: the compiler refused the sources, which another build might spare it.
    """

    reason: str
    fix: str
    of_sources: bool = False


class BuildLog:
    """The log of one build: kept in a file, its end in memory, its progress understood.

    ``done`` of ``total`` objects are compiled (0: not known yet).
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.done = 0
        self.total = 0
        self._clock = clock
        self._compiling_since = 0.0
        self._tail: deque[str] = deque(maxlen=_TAIL)
        self._file = path.open("w", encoding="utf-8")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def begin(self) -> None:
        """Forget how far the build before got."""
        self.done = self.total = 0
        self._tail.clear()

    def add(self, line: str) -> None:
        """Take one line of output."""
        self._file.write(line + "\n")
        self._file.flush()
        self._tail.append(line)
        if step := _NINJA.match(line):
            if not self.done:
                self._compiling_since = self._clock()
            self.done, self.total = int(step[1]), int(step[2])

    @property
    def eta_seconds(self) -> float | None:
        """Seconds until everything is compiled, at the pace so far."""
        if self.done < 2:  # noqa: PLR2004 - one point makes no pace
            return None
        elapsed = self._clock() - self._compiling_since
        return elapsed / (self.done - 1) * (self.total - self.done)

    def cause(self, code: int) -> FailureCause:
        """Why a command of the build that ended with this status failed."""
        text = "\n".join(self._tail)
        for pattern, reason, fix in _CAUSES:
            if re.search(pattern, text):
                return FailureCause(reason, fix)
        if code in _KILLED:
            return FailureCause(
                "something on this machine killed it", "Look whether memory ran out."
            )
        errors = [line.strip() for line in self._tail if _ERROR.search(line)]
        last = errors[:1] or [line.strip() for line in list(self._tail)[-1:]]
        said = last[0][:300] if last else f"exit status {code}"
        reason = f"the build stopped with {said!r}"
        of_sources = bool(errors and self.total)
        return FailureCause(reason, f"{self.path} has the whole story.", of_sources=of_sources)
