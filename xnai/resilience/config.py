"""When a breaker opens, for how long, and what counts as a failure."""

import random
from collections.abc import Callable
from dataclasses import dataclass

_LENGTHS = (
    *("window", "open_time", "open_longest", "probe_limit", "half_open_longest", "lease"),
    "resync",
)

Errors = Callable[[BaseException], bool] | type[BaseException] | tuple[type[BaseException], ...]


def type_name(exc: BaseException) -> str:
    """An exception in a word that quotes nothing private."""
    return type(exc).__name__


def predicate(errors: Errors) -> Callable[[BaseException], bool]:
    """Whether an exception is one of them."""
    if isinstance(errors, tuple | type):
        return lambda exc: isinstance(exc, errors)
    return errors


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one breaker; times are seconds.

    It opens when, within ``window``, at least ``min_calls`` ended and ``failure_rate`` of them
    failed or ``slow_rate`` of them took longer than ``slow_call``; or when ``streak`` calls in a
    row failed (0: no such rule). It stays open for ``open_time``, times ``open_growth`` for every
    time that it opened anew without closing, at most ``open_longest``, less a random part of up
    to ``open_jitter``. Then ``probes`` calls are let through; it closes when all of them end well
    and opens again when one fails. A probe that takes longer than ``probe_limit`` has
    failed; a stream is judged at its first item. After ``half_open_longest`` without a result the
    probes begin anew.

    Args:
        record: exceptions that are failures, as a type, a tuple of types or a predicate; what is
            none of them says nothing about the dependency.
        ignore: of these, exceptions that say nothing either. Cancellation never does.
        failed: results that are failures. A predicate that raises is logged once and decides
            nothing: the exception then counts, and the result does not.
        describe: why it failed, in words fit for a log (not the exception's text, which may hold
            what is private).
        quorum: the fleet opens when more than this share of its active replicas agrees.
        lease: a probe whose holder is not heard of for so long is given to another.
        resync: between two looks at the store when nothing happens.
        first_item: longest time to the first item of a stream; None: no limit.
        between_items: longest time between two of them, as long as the reader waits.

    """

    failure_rate: float = 0.5
    slow_rate: float = 1.0
    slow_call: float = float("inf")
    min_calls: int = 10
    window: float = 30.0
    streak: int = 5
    open_time: float = 5.0
    open_growth: float = 2.0
    open_longest: float = 120.0
    open_jitter: float = 0.2
    probes: int = 1
    probe_limit: float = 30.0
    half_open_longest: float = 120.0
    quorum: float = 0.5
    lease: float = 3.0
    resync: float = 5.0
    first_item: float | None = None
    between_items: float | None = None
    record: Errors = Exception
    ignore: Errors = ()
    failed: Callable[[object], bool] | None = None
    describe: Callable[[BaseException], str] = type_name

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            ValueError: a value is out of its range.

        """
        for name in ("failure_rate", "slow_rate"):
            _check(self, name, 0 < getattr(self, name) <= 1, "a share above 0, at most 1")
        _check(self, "quorum", 0 <= self.quorum < 1, "a share from 0 to below 1")
        _check(self, "open_jitter", 0 <= self.open_jitter <= 1, "a share from 0 to 1")
        _check(self, "open_growth", self.open_growth >= 1, "a factor of at least 1")
        for name in ("min_calls", "probes"):
            _check(self, name, getattr(self, name) >= 1, "at least 1")
        _check(self, "streak", self.streak >= 0, "at least 0")
        for name in _LENGTHS:
            _check(self, name, getattr(self, name) > 0, "more than 0 seconds")

    @property
    def active(self) -> float:
        """Seconds after which a replica that was not heard of is none of the fleet any more."""
        return max(self.window, 3 * self.resync)

    def open_seconds(self, opens: int, chance: float | None = None) -> float:
        """How long it stays open when it opens for the ``opens``-th time in a row.

        ``chance`` (0 to 1) is the share of the jitter that is taken off.
        """
        if chance is None:
            chance = random.random()  # noqa: S311 - spreads attempts, no secret
        grown = self.open_time * self.open_growth ** min(max(opens - 1, 0), 64)
        return float(min(grown, self.open_longest) * (1 - self.open_jitter * chance))


def _check(config: Config, name: str, holds: bool, expected: str) -> None:
    if not holds:
        raise ValueError(f"{name}={getattr(config, name)!r}: {expected} is expected")
