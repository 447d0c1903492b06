"""Which file of a repository is meant."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from xnai.errors import HUB_NAME_INVALID, HUB_NO_CHOICE, XnaiError
from xnai.models.hub import RemoteFile

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_SPLIT = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)
# Of several the first that is there: good answers for little memory come first.
PREFERRED = ("Q4_K_M", "Q4_K_S", "Q5_K_M", "Q8_0", "Q4_0", "Q6_K", "F16")
_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was typed: a repository, and a file or a quantisation in it (empty: the best one)."""

    repository: str
    choice: str = ""


def parse(name: str) -> Wanted:
    """Read ``owner/repository[:choice]``.

    Raises:
        XnaiError: HUB_NAME_INVALID.

    """
    repository, _, choice = name.partition(":")
    parts = repository.split("/")
    if len(parts) != 2:  # noqa: PLR2004
        raise XnaiError(HUB_NAME_INVALID, name=name[:200], problem="it is not owner/repository")
    for part in parts:
        if not _NAME.fullmatch(part) or ".." in part or "--" in part:
            raise XnaiError(HUB_NAME_INVALID, name=name[:200], problem=f"{part[:100]!r} is no name")
    if ".." in choice or choice.startswith("/") or not choice.isprintable():
        raise XnaiError(HUB_NAME_INVALID, name=name[:200], problem="the file is no name")
    return Wanted(repository, choice)


def choose(wanted: Wanted, files: Sequence[RemoteFile]) -> list[RemoteFile]:
    """The file that is meant; of a split model all its parts, in order.

    Raises:
        XnaiError: HUB_NO_CHOICE.

    """
    models = [file for file in files if "mmproj" not in file.name.lower()]
    first = _named(wanted.choice, models) if wanted.choice else _best(models)
    if first is None:
        shown = ", ".join(file.path for file in models[:_MOST_SHOWN]) or "(none)"
        name = f"{wanted.repository}:{wanted.choice}" if wanted.choice else wanted.repository
        repository = wanted.repository
        raise XnaiError(HUB_NO_CHOICE, name=name, repository=repository, available=shown)
    return _whole(first, models)


def _named(choice: str, files: Sequence[RemoteFile]) -> RemoteFile | None:
    for file in files:
        if choice in {file.path, file.name}:
            return file
    return next((file for file in files if _is_quantised(file, choice)), None)


def _best(files: Sequence[RemoteFile]) -> RemoteFile | None:
    for kind in PREFERRED:
        for file in files:
            if _is_quantised(file, kind):
                return file
    return files[0] if len(files) == 1 else None


def _is_quantised(file: RemoteFile, kind: str) -> bool:
    words = re.escape(kind)
    return re.search(rf"(?i)(^|[-._/]){words}([-._/]|$)", file.path) is not None


def _whole(file: RemoteFile, files: Sequence[RemoteFile]) -> list[RemoteFile]:
    split = _SPLIT.search(file.path)
    if split is None:
        return [file]
    stem = file.path[: split.start()]
    parts = [one for one in files if one.path.startswith(f"{stem}-") and _SPLIT.search(one.path)]
    if len(parts) != int(split[2]):
        name, shown = file.path, ", ".join(one.path for one in parts)
        raise XnaiError(HUB_NO_CHOICE, name=name, repository=file.repository, available=shown)
    return parts
