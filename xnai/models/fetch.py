"""Brings a model from a hub into the models folder, whole and checked, or not at all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xnai.errors import FOLDER_UNUSABLE, HUB_CHECKSUM_WRONG, MODEL_EXISTS, XnaiError
from xnai.llm.gguf.catalogue import ModelFile, ModelFiles
from xnai.models import parts
from xnai.models.hub import Hub, RemoteFile
from xnai.models.progress import DownloadBar
from xnai.models.wanted import choose, parse
from xnai.settings import Settings


@dataclass(frozen=True, slots=True)
class FetchedFile:
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

    def get(self, name: str) -> FetchedFile:
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
        return FetchedFile(ModelFile(found.name.removesuffix(".gguf"), found), bool(missing))

    def _is_there(self, file: RemoteFile) -> bool:
        """Whether this very file is in the folder.

        Raises:
            XnaiError: MODEL_EXISTS, another one is and must not be replaced.

        """
        path = self._folder / file.name
        if not path.exists():
            return False
        if path.is_file() and parts.is_whole(path, file.size, file.sha256):
            return True
        if path.is_dir() or not self._may_replace(path):
            raise XnaiError(MODEL_EXISTS, path=path)
        return False

    def _check_room(self, files: Sequence[RemoteFile]) -> None:
        there = sum(parts.size_of(self._part(file)) for file in files)
        if files:
            needed = sum(file.size for file in files) - there
            parts.check_room(self._folder, files[0].name, needed)

    def _part(self, file: RemoteFile) -> Path:
        return parts.part_of(self._folder, file.sha256)

    def _fetch(self, file: RemoteFile) -> None:
        part = self._part(file)
        with parts.growing(part, file.name) as target:
            have = parts.size_of(part)
            if have > file.size:
                have = target.truncate(0)
            self._hub.download(file, target, have, DownloadBar)
            parts.to_disk(target)
            self._verify(file, part)
            part.replace(self._folder / file.name)
        parts.remove_folder(self._folder)

    def _verify(self, file: RemoteFile, part: Path) -> None:
        if not parts.is_whole(part, file.size, file.sha256):
            part.unlink()
            raise XnaiError(HUB_CHECKSUM_WRONG, name=file.name, hub=self._hub.shown)
        try:
            ModelFiles(self._settings).inspect(ModelFile(file.name, part))
        except XnaiError as exc:
            part.unlink()
            raise XnaiError(exc.kind, **(dict[str, Any](exc.values) | {"name": file.name})) from exc
