"""What is said of a setting that is refused, and the form of an address."""

import re
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic.fields import FieldInfo

DAY = 86_400.0  # seconds; no wait for an answer is worth more
MONTH = 30 * DAY
_LONGEST_SHOWN = 60  # characters of a refused value
AnyPlace = TypeVar("AnyPlace", str, Path, str | Path)
_ADDRESS = re.compile(r"\S+")


def parts(value: object) -> object:
    """Return a text's parts between commas; what is no text as it is."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def place(value: AnyPlace) -> AnyPlace:
    """Refuse an address where a file or folder is meant."""
    if re.match(r"[a-z][a-z0-9+.-]+:/", str(value), re.IGNORECASE):
        raise ValueError("a file or folder of this machine is expected, not an address")
    return value


def endpoint(url: str) -> str:
    """The address that ``/v1/...`` is put behind."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("an address is like http://10.0.0.5:8080 or https://models.example.org")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("an address is without user, password, query and fragment")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("a port is a number from 0 to 65535") from None
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/v1')}"


def shown(name: str, value: object) -> str:
    """A refused value, shortened and without what is secret in it."""
    if "KEY" in name or name.endswith("REDIS_URL"):
        return "***"
    text = _ADDRESS.sub(_without_secrets, value) if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _without_secrets(address: re.Match[str]) -> str:
    """An address without user and password, and without its query."""
    text = address[0]
    start, end = text.find("//"), text.rfind("@")
    if 0 <= start < end:
        text = f"{text[:start]}***{text[end + 1 :]}"
    shown, query, _ = text.partition("?")
    return f"{shown}***" if query else shown


def expected(info: FieldInfo | None, told: str) -> str:
    """What a setting takes, as the end of a sentence; ``told`` is what pydantic says."""
    if info is None or info.annotation not in {int, float}:
        told = told.removeprefix("Value error, ").rstrip(".")
        return re.sub(r"^Input should be", "it has to be", told)
    limits = {
        bound: getattr(one, bound)
        for one in info.metadata
        for bound in ("ge", "gt", "le")
        if getattr(one, bound, None) is not None
    }
    kind = "a whole number" if info.annotation is int else "a number"
    least = (
        f"from {limits['ge']:,.15g} to"
        if "ge" in limits
        else f"above {limits['gt']:,.15g} and at most"
    )
    return f"it has to be {kind} {least} {limits['le']:,.15g}"
