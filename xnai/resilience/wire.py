"""Snapshots as they travel: JSON with differences of time. What comes from Redis is hostile."""

import json
import math
from collections.abc import Mapping
from typing import Any

from xnai.resilience.config import Config
from xnai.resilience.states import Snapshot, State
from xnai.resilience.store import Reply

_LONGEST_TEXT = 200
_LONGEST_MS = 86_400_000.0
_LARGEST = 1 << 53
_STATES = {state.value: state for state in State}


class GarbledError(ValueError):
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
        raise GarbledError("no JSON") from exc
    if not isinstance(value, dict):
        raise GarbledError("no object")
    return value


def snapshot(told: Mapping[str, Any], now: float) -> Snapshot:
    """A snapshot in the times of this process; ``now`` is its monotonic clock.

    A state that a newer version has invented counts as CLOSED: each replica then protects itself.

    Raises:
        GarbledError: a field is missing or none of the expected kind.

    """
    state = told.get("state")
    if not isinstance(state, str):
        raise GarbledError("no state")
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
    )


def reply(told: Mapping[str, Any], now: float) -> Reply:
    """An operation's reply.

    Raises:
        GarbledError: as ``snapshot``.

    """
    ticket = told.get("ticket", "")
    return Reply(
        snapshot(told, now),
        ticket=ticket if isinstance(ticket, str) else "",
        held=told.get("held") is True,
        empty=told.get("empty") is True,
        asked=told.get("asked") is True,
    )


def seed(known: Snapshot, now: float) -> dict[str, object]:
    """What a store that lost its memory is told."""
    return {
        "state": known.state.value,
        "epoch": known.epoch,
        "revision": known.revision,
        "opens": known.opens,
        "wait": _whole(max(0.0, known.until - now)),
        "age": _whole(max(0.0, now - known.since)),
        "reason": known.reason,
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
        raise GarbledError(f"{name} is no number")
    if not 0 <= value < _LARGEST or value != int(value):
        raise GarbledError(f"{name} is no count")
    return int(value)


def _milliseconds(told: Mapping[str, Any], name: str) -> float:
    """Seconds of a field in milliseconds."""
    value = told.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise GarbledError(f"{name} is no number")
    return min(max(value, 0.0), _LONGEST_MS) / 1000
