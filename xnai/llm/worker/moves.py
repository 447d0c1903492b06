"""What is done with sequences and their store between two steps."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trim:
    """Keep the first ``length`` tokens of a slot."""

    slot: int
    length: int


@dataclass(frozen=True, slots=True)
class Copy:
    """Give ``slot`` the first ``length`` tokens of ``source``, instead of what it holds."""

    source: int
    slot: int
    length: int


@dataclass(frozen=True, slots=True)
class Save:
    """Put what a slot holds into the store under ``key``."""

    slot: int
    key: int


@dataclass(frozen=True, slots=True)
class Restore:
    """Give ``slot`` the first ``length`` tokens of what the store has under ``key``."""

    key: int
    slot: int
    length: int


@dataclass(frozen=True, slots=True)
class Drop:
    """Remove ``key`` from the store."""

    key: int


Move = Trim | Copy | Save | Restore | Drop
