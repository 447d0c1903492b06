"""Snapshots as they travel: JSON with differences of time. What comes from Redis is hostile."""

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from xnai.resilience.config import Config
from xnai.resilience.states import Snapshot, State
from xnai.resilience.store import StoreReply

_LONGEST_TEXT = 200
_LONGEST_MS = 86_400_000.0
_LARGEST = 1 << 53
_STATES = {state.value: state for state in State}


class StoreQuestion(NamedTuple):
    """A replica found the store empty, or wants to know who else is sick."""

    replica: str


class GarbledReplyError(ValueError):
    """What came from Redis is no snapshot."""


def printable(text: object) -> str:
    """Text fit for one line of a log."""
    shown = "".join(char if char.isprintable() else " " for char in str(text)[:_LONGEST_TEXT])
    return shown.strip()


def parse(text: str | bytes) -> Mapping[str, Any]:
    """The JSON object of a reply or a message.

    Raises:
        GarbledError: it is none.

    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise GarbledReplyError("no JSON") from exc
    if not isinstance(value, dict):
        raise GarbledReplyError("no object")
    return value


def snapshot(told: Mapping[str, Any], now: float) -> Snapshot:
    """A snapshot in the times of this process; ``now`` is its monotonic clock.

    A state that a newer version has invented counts as CLOSED: each replica then protects itself.

    Raises:
        GarbledError: a field is missing or none of the expected kind.

    """
    state = told.get("state")
    if not isinstance(state, str):
        raise GarbledReplyError("no state")
    lease = _milliseconds(told, "lease")
    return Snapshot(
        state=_STATES.get(state, State.CLOSED),
        epoch=_count(told, "epoch"),
        revision=_count(told, "revision"),
        until=now + _milliseconds(told, "wait"),
        opens=_count(told, "opens"),
        free=_count(told, "free"),
        free_at=now + lease if lease else 0.0,
        since=now - _milliseconds(told, "age"),
        reason=printable(told.get("reason", "")),
        commanded=_commanded(told, now),
    )


def _commanded(told: Mapping[str, Any], now: float) -> float:
    """When an operator spoke last; 0.0: never, or the writer is of a version that knows it not."""
    age = told.get("commanded", -1)
    return 0.0 if age == -1 else now - _milliseconds(told, "commanded")


def reply(text: str | bytes, now: float) -> StoreReply:
    """An operation's reply.

    Raises:
        GarbledError: it is none.

    """
    told = parse(text)
    tickets = told.get("tickets", [])
    usable = isinstance(tickets, list) and all(isinstance(one, str) for one in tickets)
    return StoreReply(
        snapshot(told, now),
        tickets=tuple(tickets) if usable else (),
        held=told.get("held") is True,
        empty=told.get("empty") is True,
        asked=told.get("asked") is True,
    )


def message(text: str | bytes, now: float) -> Snapshot | StoreQuestion:
    """What was published: the fleet's state, or a question of one replica to all others.

    Raises:
        GarbledError: it is neither.

    """
    told = parse(text)
    return StoreQuestion(str(told["hello"])) if "hello" in told else snapshot(told, now)


def seed(known: Snapshot, now: float) -> dict[str, object]:
    """What a store that lost its memory is told."""
    return {
        "state": known.state.value,
        "epoch": known.epoch,
        "revision": known.revision,
        "opens": known.opens,
        "wait": _whole(max(0.0, known.until - now)),
        "age": _whole(max(0.0, now - known.since)),
        "reason": printable(known.reason),
        "commanded": _whole(now - known.commanded) if known.commanded else -1,
    }


def rules(config: Config, chance: float) -> dict[str, object]:
    """The settings that the script needs; ``chance`` (0 to 1) is the jitter's draw."""
    return {
        "open": _whole(config.open_time),
        "growth": config.open_growth,
        "longest": _whole(config.open_longest),
        "jitter": 1 - config.open_jitter * chance,
        "probes": config.probes,
        "lease": _whole(config.lease),
        "half_open": _whole(config.half_open_longest),
        "active": _whole(config.active),
        "quorum": config.quorum,
        "failure_rate": config.failure_rate,
        "slow_rate": config.slow_rate,
        "min_calls": config.min_calls,
    }


def _whole(seconds: float) -> int:
    return int(min(seconds * 1000, _LONGEST_MS))


def _count(told: Mapping[str, Any], name: str) -> int:
    value = told.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise GarbledReplyError(f"{name} is no number")
    if not 0 <= value < _LARGEST or value != int(value):
        raise GarbledReplyError(f"{name} is no count")
    return int(value)


def _milliseconds(told: Mapping[str, Any], name: str) -> float:
    """Seconds of a field in milliseconds."""
    value = told.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise GarbledReplyError(f"{name} is no number")
    if not -math.inf < value < math.inf:  # isfinite cannot do with whole numbers of any length
        raise GarbledReplyError(f"{name} is no time")
    return min(max(value, 0.0), _LONGEST_MS) / 1000
