"""The models of this machine, with what they are and whether they fit."""

from dataclasses import dataclass, replace

from xnai.errors import XnaiError
from xnai.llm.calibration.choice import known_findings
from xnai.llm.gguf.catalogue import ModelFile, ModelFiles
from xnai.llm.hardware import available_memory, cpu_flags, usable_cores
from xnai.models.catalogue import CatalogueEntry, shipped
from xnai.models.recommend import recommend
from xnai.settings import Settings


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model; sizes in bytes, contexts in tokens, 0 while unknown.

    ``here`` is whether it lies on this machine; what does not is in the catalogue, with its
    ``licence``, ``languages`` and ``kind``. ``needs_hub``: no package of the registry carries it.
    ``trained`` is the context the model knows, ``context`` the one it would have here; ``fits`` is
    about the memory that is free now, and ``problem`` why it cannot be loaded. ``read`` and
    ``write`` are tokens a second, measured here, of the ``copy`` that runs (empty: as it came);
    ``run`` says how it is run, in words.
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
    copy: str = ""
    run: str = ""
    read: float = 0.0
    write: float = 0.0
    here: bool = True
    kind: str = "chat"
    licence: str = ""
    languages: tuple[str, ...] = ()
    tried: bool = False
    recommended: bool = False
    needs_hub: bool = False
    note: str = ""


def rows(settings: Settings) -> list[ModelRow]:
    """Every model that can be chosen or fetched, the default first; blocks."""
    files = ModelFiles(settings)
    try:
        default, missing = files.configured().name, ""
    except XnaiError as exc:
        default, missing = settings.model, exc.message
    found = [_row(files, file, default) for file in files.available()]
    if missing:
        found.append(ModelRow(default, "", 0, default=True, bundled=False, problem=missing))
    found = [_described(row) for row in found]
    names = {row.name.casefold() for row in found}
    found += [
        _elsewhere(settings, entry)
        for entry in shipped().models
        if entry.files and entry.name.casefold() not in names
    ]
    best = recommend(shipped(), available_memory(), usable_cores(), cpu_flags())
    found = [replace(row, recommended=best is not None and row.name == best.name) for row in found]
    return sorted(found, key=lambda row: (not row.default, not row.here))


def _described(row: ModelRow) -> ModelRow:
    """A row with what the catalogue knows of its model."""
    entry = shipped().find(row.name)
    if entry is None:
        return row
    known = {"licence": entry.licence, "languages": entry.languages, "tried": entry.tried}
    return replace(row, **known, note=entry.note)  # type: ignore[arg-type]  # named right above


def _elsewhere(settings: Settings, entry: CatalogueEntry) -> ModelRow:
    """A row of the catalogue that the models folder has not, or that is no language model."""
    path = entry.path(settings.models_dir)
    is_there = entry.is_there(settings.models_dir)
    return ModelRow(
        entry.name,
        str(path) if is_there else "",
        entry.size,
        default=False,
        bundled=False,
        parameters=entry.weights,
        trained=entry.context,
        memory=entry.memory,
        fits=entry.memory <= available_memory(),
        here=is_there,
        kind=entry.kind,
        licence=entry.licence,
        languages=entry.languages,
        tried=entry.tried,
        needs_hub=entry.needs_hub,
        note=entry.note,
    )


def _row(files: ModelFiles, file: ModelFile, default: str) -> ModelRow:
    size = file.path.stat().st_size if file.path.exists() else 0
    basics = (file.name, str(file.path), size, file.name == default, file.bundled)
    try:
        header = files.inspect(file)
    except XnaiError as exc:
        return ModelRow(*basics, problem=exc.message)
    known = (header.quantisation, header.parameters, header.integer("context_length"))
    row = _measured(files, file, ModelRow(*basics, *known))
    try:
        plan = files.plan(file, header)
    except XnaiError as exc:
        return replace(row, problem=exc.message)
    slots, memory = plan.capacity.slots, plan.needed_bytes
    return replace(row, context=plan.context, slots=slots, memory=memory, fits=True)


def _measured(files: ModelFiles, file: ModelFile, row: ModelRow) -> ModelRow:
    findings = known_findings(files, file.path)
    speed = findings.speed(findings.copy)
    if speed is None:
        return row
    read, write = round(speed.read, 1), round(speed.write, 1)
    return replace(row, copy=findings.copy, run=findings.told, read=read, write=write)
