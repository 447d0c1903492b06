"""The models of this machine, with what they are and whether they fit."""

from dataclasses import dataclass

from xnai.errors import XnaiError
from xnai.llm.files import ModelFile, ModelFiles
from xnai.settings import Settings


@dataclass(frozen=True, slots=True)
class Row:
    """One model; sizes in bytes, contexts in tokens, 0 while unknown.

    ``trained`` is the context the model knows, ``context`` the one it would have here; ``fits`` is
    about the memory that is free now, and ``problem`` why it cannot be loaded.
    """

    name: str
    path: str
    size: int
    default: bool
    bundled: bool
    quantisation: str = ""
    parameters: int = 0
    trained: int = 0
    context: int = 0
    slots: int = 0
    memory: int = 0
    fits: bool = False
    problem: str = ""


def rows(settings: Settings) -> list[Row]:
    """Every model that can be chosen, the default first; blocks."""
    files = ModelFiles(settings)
    try:
        default, missing = files.configured().name, ""
    except XnaiError as exc:
        default, missing = settings.model, exc.message
    found = [_row(files, file, default) for file in files.available()]
    if missing:
        found.append(Row(default, "", 0, default=True, bundled=False, problem=missing))
    return sorted(found, key=lambda row: not row.default)


def _row(files: ModelFiles, file: ModelFile, default: str) -> Row:
    size = file.path.stat().st_size if file.path.exists() else 0
    basics = (file.name, str(file.path), size, file.name == default, file.bundled)
    try:
        header = files.inspect(file)
    except XnaiError as exc:
        return Row(*basics, problem=exc.message)
    known = (header.quantisation, header.parameters, header.integer("context_length"))
    try:
        plan = files.plan(file, header)
    except XnaiError as exc:
        return Row(*basics, *known, problem=exc.message)
    return Row(*basics, *known, plan.context, plan.capacity.slots, plan.needed_bytes, fits=True)
