"""A document that is gone, of which nothing is kept but that it was there."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FormerDocument:
    """A document that was deleted, or whose place a new version has taken.

    ``gone_at`` is in seconds since the epoch; ``successor`` is the id of the version that is there
    now, empty if there is none.
    """

    id: str
    owner: str
    gone_at: float
    successor: str
