"""Findings, which checks return, and the subject, which they look at."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from xnai.settings import Settings

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: ``warning`` leaves the program usable, ``problem`` does not.

    ``command`` is what to type next; empty if there is nothing to do.
    """

    area: str
    level: Level
    text: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class CheckSubject:
    """The subject of the checks; ``server`` is the /health/ready of a running XNAi, if any."""

    settings: Settings
    setting_errors: tuple[Finding, ...] = ()
    server: dict[str, Any] | None = field(default=None)


Check = Callable[[CheckSubject], Iterator[Finding]]


def ok(area: str, text: str) -> Finding:
    """Report that something is as it should be."""
    return Finding(area, "ok", text)


def warning(area: str, text: str, command: str = "") -> Finding:
    """Report that something is not as it should be, but the program can run."""
    return Finding(area, "warning", text, command)


def problem(area: str, text: str, command: str = "") -> Finding:
    """Report that something keeps the program from doing its work."""
    return Finding(area, "problem", text, command)


def existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(place for place in (folder, *folder.parents) if place.exists())
