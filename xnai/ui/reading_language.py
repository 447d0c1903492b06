"""The language of who looks at the page: the one that their browser asks for."""

from collections.abc import Mapping
from typing import Any

from xnai.locale import Texts, preferred, texts_in


def reader_of(session: Any) -> str:
    """Return the language of a session of the page; empty if we have no texts in it."""
    environ: Mapping[str, object] = getattr(session, "environ", None) or {}
    return preferred(str(environ.get("HTTP_ACCEPT_LANGUAGE", "")))


def texts_of(session: Any) -> Texts:
    """Return the texts for a session of the page."""
    return texts_in(reader_of(session))


def texts_for(headers: Mapping[str, str]) -> Texts:
    """Return the texts for a request with these headers."""
    return texts_in(preferred(headers.get("accept-language", "")))
