"""What the page of the models says of each."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from xnai.locale import Texts, marked
from xnai.models.catalogue import CatalogueEntry
from xnai.models.endpoint import hub_host
from xnai.models.listing import ModelRow
from xnai.models.recommend import expected_speed

# Notes of the catalogue; a unit test compares the two.
NOTES = (
    marked("Comes with the program. Too small to answer over documents: it shows what they say."),
    marked("For machines with little memory: quick, and more often wrong than the 1.5B."),
    marked("Thinks before it answers unless it is told not to."),
    marked("Knows more than a hundred languages and does not think aloud."),
    marked("Ranks passages: XNAI_RERANKER takes its folder."),
    marked("Measured worse here than the MiniLM that comes with the program."),
    marked("Searches in a hundred languages, and across them; takes the bundled model's place."),
)
_MINUTE = 60
_IN_SECONDS = 90  # below that, seconds read better than minutes


@dataclass(frozen=True, slots=True)
class MachineClass:
    """What a model's speed is expected by."""

    cores: int
    flags: AbstractSet[str]


def megabytes(count: int) -> str:
    """Return a number of bytes in megabytes."""
    return f"{count / 1e6:,.0f}"


def about(row: ModelRow, texts: Texts) -> str:
    """Return size, licence and number of weights."""
    size = texts.say("{number} MB", number=megabytes(row.size))
    weights = ""
    if row.parameters:
        weights = texts.say("{number} billion weights", number=f"{row.parameters / 1e9:.2g}")
    return ", ".join(filter(None, (size, weights, row.quantisation, row.licence)))


def room(row: ModelRow, texts: Texts) -> str:
    """Return how much memory it takes, or whether what it needs is free now."""
    if row.problem or not row.memory:
        return row.problem
    need = f"{row.memory / 1e9:.1f}"
    if row.slots and row.fits:  # planned for this machine: the rest is for several at once
        return texts.say(
            "Takes up to {number} GB of memory, for questions side by side.", number=need
        )
    if row.fits:
        return texts.say("Needs {number} GB of memory, which are free now.", number=need)
    return texts.say("Needs {number} GB of memory, which are not free now.", number=need)


def speed(row: ModelRow, entry: CatalogueEntry | None, machine: MachineClass, texts: Texts) -> str:
    """Return how fast it reads and writes: as measured here, else as on a machine like this."""
    if row.kind != "chat":
        return ""
    if row.read:
        values = {"read": f"{row.read:.0f}", "write": f"{row.write:.0f}"}
        return texts.say("Reads {read}, writes {write} tokens a second, measured here.", **values)
    expected = expected_speed(entry, machine.cores, machine.flags) if entry else None
    if expected is None:
        return texts.say("How fast it is here is not known yet.")
    values = {"read": f"{expected[0]:.0f}", "write": f"{expected[1]:.0f}"}
    return texts.say(
        "Reads about {read}, writes about {write} tokens a second on a machine like this.", **values
    )


def where_from(entry: CatalogueEntry, texts: Texts, *, hub: bool) -> str:
    """Say before a download where it goes; empty if there is nowhere to go."""
    from_hub = hub and any(file.hub for file in entry.files)
    size = texts.say("{number} MB", number=megabytes(entry.size))
    if from_hub:
        place = next(file.hub.repository for file in entry.files if file.hub)
        come = texts.say(
            "{size} come from {host} ({place}).", size=size, host=hub_host(), place=place
        )
        if not entry.needs_hub:
            come += " " + texts.say(
                "If it does not answer, they come from the package registry that pip asks here."
            )
    elif not entry.needs_hub:
        come = texts.say("{size} come from the package registry that pip asks here.", size=size)
    else:
        return ""
    learns = texts.say(
        "It learns the address of this machine and which file is fetched, nothing of yours."
    )
    return f"{come} {learns}"


def progress(report: dict[str, object], texts: Texts) -> str:
    """Return how far a download is, and how long the rest will take."""
    done, total = int(str(report.get("done") or 0)), int(str(report.get("total") or 0))
    words = texts.say("{done} of {total} MB", done=megabytes(done), total=megabytes(total))
    rate, left = float(str(report.get("rate") or 0)), report.get("eta_seconds")
    if rate:
        words += ", " + texts.say("{number} MB a second", number=f"{rate / 1e6:.1f}")
    if isinstance(left, int | float):
        words += ", " + _left(float(left), texts)
    return words


def _left(seconds: float, texts: Texts) -> str:
    if seconds < _IN_SECONDS:
        return texts.say("about {number} s left", number=round(seconds))
    return texts.say("about {number} min left", number=round(seconds / _MINUTE))
