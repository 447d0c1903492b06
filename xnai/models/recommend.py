"""Which model of the catalogue is best for this machine, and why none is fetched unasked."""

from collections.abc import Set as AbstractSet
from pathlib import Path

from xnai.llm.hardware import human_size
from xnai.models.catalogue import Catalogue, CatalogueEntry
from xnai.models.parts import SPARE_BYTES, free_bytes, part_of, size_of
from xnai.settings import PREFIX, Settings

# Left beside the model for the server, the embedding model, and one document that is read.
SPARE_MEMORY = 600_000_000
LEAST_READ = 30.0  # tokens a second: 300 of a question with its passages in ten seconds
LEAST_WRITE = 4.0  # about as fast as a person reads
MEASURED_CORES = 2  # that the catalogue's speeds are for
PLAIN_SHARE = 0.25  # of the speed with AVX2 that a processor without it is taken to have

# Names of Linux for what a processor can do, best first; the catalogue's speeds go by them.
CLASSES = (("amx", "amx_int8"), ("avx2", "avx2"))


def expected_speed(
    entry: CatalogueEntry, cores: int, flags: AbstractSet[str]
) -> tuple[float, float] | None:
    """Tokens a second read and written, from measurements on a like machine; None if unknown."""
    scale = cores / MEASURED_CORES
    for name, flag in CLASSES:
        if flag in flags and name in entry.speed:
            read, write = entry.speed[name]
            return read * scale, write * min(1.0, scale)
    if "avx2" in entry.speed and flags and "asimd" not in flags:
        read, write = entry.speed["avx2"]
        return read * scale * PLAIN_SHARE, write * min(1.0, scale) * PLAIN_SHARE
    return None


def is_quick(entry: CatalogueEntry, cores: int, flags: AbstractSet[str]) -> bool:
    """Whether a model answers in bearable time; one of unknown speed counts as such."""
    speed = expected_speed(entry, cores, flags)
    return speed is None or (speed[0] >= LEAST_READ and speed[1] >= LEAST_WRITE)


def recommend(
    catalogue: Catalogue, memory: int, cores: int, flags: AbstractSet[str]
) -> CatalogueEntry | None:
    """The best model that fits.

    Args:
        catalogue: to choose from.
        memory: bytes that are free.
        cores: that may be used.
        flags: what the processor can do, see ``xnai.llm.hardware.cpu_flags``.

    """
    fitting = [
        one
        for one in catalogue.models
        if one.kind == "chat"
        and one.recommended
        and one.memory + SPARE_MEMORY <= memory
        and is_quick(one, cores, flags)
    ]
    return max(fitting, key=lambda one: one.recommended, default=None)


def why_not(settings: Settings) -> str:
    """Why the settings speak against fetching; empty if they do not."""
    if settings.model:
        return f"{PREFIX}MODEL names the model to use."
    if settings.llm_url and not settings.llm_fallback:
        return f"The servers of {PREFIX}LLM_URL answer."
    return ""


def no_room(entry: CatalogueEntry, folder: Path) -> str:
    """Why the disk has no room for a model; empty if it has."""
    here = sum(size_of(part_of(folder, file.sha256)) for file in entry.files if file.sha256)
    needed = entry.size - here + 2 * entry.largest_part + entry.unpacked + SPARE_BYTES
    free = free_bytes(folder)
    if needed <= free:
        return ""
    return (
        f"{entry.title} needs {human_size(needed)} of disk; {folder} has {human_size(free)} left."
    )
