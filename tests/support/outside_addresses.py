"""Addresses of other machines in what a browser is given."""

import re

_TAG = re.compile(r"<(?:link|meta|script|img|iframe)\b[^>]{0,2000}>", re.IGNORECASE)
_OUTSIDE = re.compile(r"""=\s*+["']?+\s*+(?:https?:)?//""", re.IGNORECASE)
_LOADED = re.compile(r"""(?:url\(|@import)\s*+["']?+\s*+((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)


def outside_addresses(text: str) -> list[str]:
    """List what a browser would load from other machines for a page or a style sheet."""
    tags = [tag for tag in _TAG.findall(text) if _OUTSIDE.search(tag)]
    return tags + _LOADED.findall(text)
