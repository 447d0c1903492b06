"""How far the reading of a document is, by what was read and embedded of it, and how long it takes.

A document is read and embedded at once: of each part that was read, what is embedded of it counts
too, by the share of the time that embedding takes. So what is shown grows evenly with the time, for
a scan whose pages are slow as for a table whose passages are many.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line uses this too, and that would load numpy
    from xnai.documents.protocol import IngestProgress

_MOST = 0.99  # before all is stored
_EMBEDDING = 0.5  # of the time, until it is measured
_LEAST_SHARE, _LEAST_SECONDS = 0.02, 1.0  # with less nothing can be told of the rest
_STAGES = {
    "parsing": ("Reading", "pages"),
    "chunking": ("Splitting", "passages"),
    "embedding": ("Indexing", "passages"),
    "storing": ("Saving", "passages"),
}
_MINUTE = 60
_IN_SECONDS = 90  # below that, seconds read better than minutes


@dataclass(slots=True)
class ReadingGauge:
    """One document while it is read.

    Attributes:
        seconds: spent on ``parse`` and ``embed`` so far.
        pages: that were read and cut, of ``total`` (0: not known yet).
        inside: how much of the next page was cut.
        chunks: found so far, ``embedded`` of them.
        complete: whether all was read.

    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    pages: int = 0
    total: int = 0
    inside: float = 0.0
    chunks: int = 0
    embedded: int = 0
    complete: bool = False
    began: float = field(default_factory=time.monotonic)
    _told: float = 0.0

    def begin_again(self) -> None:
        """Start over with the document; what was told of it never falls."""
        self.pages = self.total = self.chunks = self.embedded = 0
        self.inside, self.complete = 0.0, False

    @property
    def page_count(self) -> int:
        """Pages of the document; 0 while that is not known."""
        return self.pages if self.complete else max(self.total, self.pages if self.total else 0)

    def share(self) -> float:
        """The share of the work that is done: it never falls, and is below 1."""
        now = min(self._read() * self._finished(), _MOST)
        self._told = max(self._told, now)
        return self._told

    def _read(self) -> float:
        """The share of the document that was read, whatever it says of its length."""
        if self.complete:
            return 1.0
        total = max(self.total, self.pages + 1)
        return (self.pages + self.inside) / total if self.total else 0.0

    def _finished(self) -> float:
        """The share of the work on what was read that is done."""
        parse, embed = self.seconds.get("parse", 0.0), self.seconds.get("embed", 0.0)
        of_embedding = embed / (parse + embed) if self.embedded and embed > 0 else _EMBEDDING
        done = self.embedded / self.chunks if self.chunks else 0.0
        return 1 - of_embedding * (1 - min(done, 1.0))


def seconds_left(progress: "IngestProgress", now: float) -> int | None:
    """Return how long the rest will take at the rate of until now; None: that cannot be told."""
    spent = now - progress.began
    if progress.share < _LEAST_SHARE or spent < _LEAST_SECONDS:
        return None
    return math.ceil(spent * (1 - progress.share) / progress.share)


def verb_and_count(progress: "IngestProgress") -> tuple[str, str]:
    """Return what is being done, and of how much: ``Reading``, ``3 of 20 pages``."""
    verb, unit = _STAGES[progress.stage]
    if not progress.total:
        return verb, f"{progress.done:,} {unit}" if progress.done else ""
    return verb, f"{progress.done:,} of {progress.total:,} {unit}"


def rest(share: float, left: float | None) -> str:
    """Return how far it is, and how long it will take: ``24%, about 40 s left``."""
    if not share:
        return ""
    if left is None:
        return f"{share:.0%}"
    whole = max(1, math.ceil(left))
    time_left = f"{whole} s" if whole < _IN_SECONDS else f"{round(whole / _MINUTE)} min"
    return f"{share:.0%}, about {time_left} left"
