"""Brings a model from a hub into the models folder, whole and checked, or not at all."""

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from xnai.errors import (
    DISK_TOO_SMALL,
    DOWNLOAD_RUNNING,
    FOLDER_UNUSABLE,
    HUB_CHECKSUM_WRONG,
    MODEL_EXISTS,
    XnaiError,
)
from xnai.llm.files import ModelFile, ModelFiles
from xnai.llm.machine import human_size
from xnai.models.hub import Hub, RemoteFile
from xnai.models.progress import DownloadBar
from xnai.models.wanted import choose, parse
from xnai.settings import Settings

PARTS = ".download"  # folder within the models folder, so that a finished file is only renamed
SPARE_BYTES = 200_000_000  # that a download leaves on the disk


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of it; ``fresh`` is False if all was there before."""

    file: ModelFile
    fresh: bool


class Fetch:
    """One download.

    Args:
        settings: where the models folder is.
        hub: where from.
        may_replace: asked before a file that is another one is replaced.

    """

    def __init__(
        self, settings: Settings, hub: Hub, may_replace: Callable[[Path], bool] = lambda _: False
    ) -> None:
        self._settings = settings
        self._folder = settings.models_dir
        self._hub = hub
        self._may_replace = may_replace

    def get(self, name: str) -> Fetched:
        """Download ``owner/repository[:choice]``; what was interrupted goes on.

        Raises:
            XnaiError: what is wrong with the name, the hub, the disk or the file.

        """
        wanted = parse(name)
        files = choose(wanted, self._hub.files(wanted.repository))
        try:
            missing = [file for file in files if not self._is_there(file)]
            self._check_room(missing)
            for file in missing:
                self._fetch(file)
        except OSError as exc:
            reason = exc.strerror or "unknown error"
            raise XnaiError(FOLDER_UNUSABLE, folder=self._folder, reason=reason) from exc
        found = self._folder / files[0].name
        return Fetched(ModelFile(found.name.removesuffix(".gguf"), found), bool(missing))

    def _is_there(self, file: RemoteFile) -> bool:
        """Whether this very file is in the folder.

        Raises:
            XnaiError: MODEL_EXISTS, another one is and must not be replaced.

        """
        path = self._folder / file.name
        if not path.exists():
            return False
        if path.is_file() and path.stat().st_size == file.size and _sha256(path) == file.sha256:
            return True
        if path.is_dir() or not self._may_replace(path):
            raise XnaiError(MODEL_EXISTS, path=path)
        return False

    def _check_room(self, files: Sequence[RemoteFile]) -> None:
        parts = [self._part(file) for file in files]
        there = sum(part.stat().st_size for part in parts if part.exists())
        needed = sum(file.size for file in files) - there
        place = next(p for p in (self._folder, *self._folder.parents) if p.exists())
        free = shutil.disk_usage(place).free
        if files and needed + SPARE_BYTES > free:
            raise XnaiError(
                DISK_TOO_SMALL,
                name=files[0].name,
                needed=human_size(needed + SPARE_BYTES),
                folder=self._folder,
                free=human_size(free),
            )

    def _part(self, file: RemoteFile) -> Path:
        """Where the part of a file is; by its content, so that nothing else is gone on with."""
        return self._folder / PARTS / f"{file.sha256[:32]}.part"

    def _fetch(self, file: RemoteFile) -> None:
        part = self._part(file)
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab+") as target, _alone(target, file):
            have = target.seek(0, os.SEEK_END)
            if have > file.size:
                have = target.truncate(0)
            self._hub.download(file, target, have, DownloadBar)
            target.flush()
            os.fsync(target.fileno())
            self._verify(file, part)
            part.replace(self._folder / file.name)
        with contextlib.suppress(OSError):
            part.parent.rmdir()

    def _verify(self, file: RemoteFile, part: Path) -> None:
        if part.stat().st_size != file.size or _sha256(part) != file.sha256:
            part.unlink()
            raise XnaiError(HUB_CHECKSUM_WRONG, name=file.name, hub=self._hub.shown)
        try:
            ModelFiles(self._settings).inspect(ModelFile(file.name, part))
        except XnaiError as exc:
            part.unlink()
            raise XnaiError(exc.kind, **(dict[str, Any](exc.values) | {"name": file.name})) from exc


@contextlib.contextmanager
def _alone(target: IO[bytes], file: RemoteFile) -> Iterator[None]:
    try:
        fcntl.flock(target, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise XnaiError(DOWNLOAD_RUNNING, name=file.name) from exc
    yield


def _sha256(path: Path) -> str:
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
