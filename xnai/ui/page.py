"""The page as it is served: nothing in it comes from, or may go to, another machine."""

import base64
import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import chainlit.server
from chainlit.config import public_dir
from chainlit.logger import logger

KATEX_STYLES = "katex/katex.min.css"  # below the public folder, if somebody puts it there

_TAG = re.compile(
    r"<(?:link|meta|script|img|iframe)\b[^>]*>(?:\s*</(?:script|iframe)>)?", re.IGNORECASE
)
_OUTSIDE = re.compile(r"""=\s*["']?\s*(?:https?:)?//""", re.IGNORECASE)
_INLINE_SCRIPT = re.compile(
    r"<script(?![^>]*\bsrc\b)[^>]*>(.*?)</script>", re.IGNORECASE | re.DOTALL
)
_HEAD = re.compile(r"<head\b[^>]*>\s*(?:<meta charset=[^>]*>)?", re.IGNORECASE)

# Custom elements are JSX that the page compiles ('unsafe-eval'); its components set style
# attributes ('unsafe-inline'). All else is this server's, so that not even an image address in a
# model's answer can carry words of a document away.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval' {hashes}; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; frame-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'"
)


def install() -> None:
    """Have Chainlit serve its page without outside addresses and with a content policy."""
    serve: Callable[[str], str] = getattr(
        chainlit.server.get_html_template, "original", chainlit.server.get_html_template
    )

    def serve_private(root_path: str) -> str:
        return private_page(serve(root_path), root_path.rstrip("/"), _has_katex())

    # There is one help text; that it has no translations is no news at every page load.
    logger.addFilter(lambda record: "Translated markdown" not in record.getMessage())
    private: Any = serve_private
    private.original = serve
    chainlit.server.get_html_template = private


@lru_cache(maxsize=8)
def private_page(html: str, root_path: str = "", katex: bool = False) -> str:
    """The page without tags that name another machine, and with a policy that forbids the rest.

    Args:
        html: the page as Chainlit makes it.
        root_path: what stands before every address of this server.
        katex: whether the style sheet of formulas lies in the public folder.

    """

    def keep(match: re.Match[str]) -> str:
        tag = match.group()
        if not _OUTSIDE.search(tag):
            return tag
        if katex and "katex" in tag:
            return f'<link rel="stylesheet" href="{root_path}/public/{KATEX_STYLES}">'
        return ""

    html = _TAG.sub(keep, html)
    hashes = " ".join(_source_hash(script) for script in _INLINE_SCRIPT.findall(html))
    policy = _POLICY.format(hashes=hashes)
    meta = f'\n    <meta http-equiv="Content-Security-Policy" content="{policy}">'
    return _HEAD.sub(lambda head: head.group() + meta, html, count=1)


def outside_addresses(text: str) -> list[str]:
    """The addresses of other machines that a browser would load from a page or style sheet."""
    tags = [tag for tag in _TAG.findall(text) if _OUTSIDE.search(tag)]
    loads = re.findall(
        r"""(?:url\(|@import)\s*["']?\s*((?:https?:)?//[^"')\s]+)""", text, re.IGNORECASE
    )
    return tags + loads


def _source_hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _has_katex() -> bool:
    return (Path(public_dir) / KATEX_STYLES).is_file()
