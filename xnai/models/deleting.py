"""Takes a model off this machine."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from xnai.errors import BAD_REQUEST, XnaiError
from xnai.llm.gguf.catalogue import ModelFiles
from xnai.models.catalogue import shipped
from xnai.models.parts import size_of
from xnai.settings import Settings


@dataclass(frozen=True, slots=True)
class Deletable:
    """A model that lies in the models folder: a file, or a folder of its own."""

    name: str
    path: Path
    size: int


def find(settings: Settings, name: str) -> Deletable:
    """What a name means; names are never used as paths.

    Raises:
        XnaiError: MODEL_NOT_FOUND, or BAD_REQUEST for what does not lie in the models folder.

    """
    entry = shipped().find(name)
    if entry is not None and entry.is_there(settings.models_dir):
        return Deletable(entry.name, entry.path(settings.models_dir), entry.size)
    file = ModelFiles(settings).find(name)
    if file.bundled or file.path.parent != settings.models_dir:
        raise XnaiError(
            BAD_REQUEST,
            problem=f"{file.name} does not lie in {settings.models_dir}.",
            fix="Delete its file by hand if it is yours; the bundled model stays.",
        )
    return Deletable(file.name, file.path, sum(size_of(one) for one in _files(file.path)))


def delete(settings: Settings, model: Deletable) -> None:
    """Delete it, all parts of one in several files."""
    files = ModelFiles(settings)
    tested = files.tested()
    if tested is not None and tested.path == model.path:
        files.forget_tested()
    if model.path.is_dir():
        shutil.rmtree(model.path)
        return
    for path in _files(model.path):
        path.unlink(missing_ok=True)


def _files(path: Path) -> list[Path]:
    """The file, or all parts of a split model."""
    stem, first, rest = path.name.partition("-00001-of-")
    if not first:
        return [path]
    return sorted(path.parent.glob(f"{stem}-[0-9][0-9][0-9][0-9][0-9]-of-{rest}"))
