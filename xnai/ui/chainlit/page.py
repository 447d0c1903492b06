"""The HTML of the page as it is served: nothing in it comes from, or may go to, another machine."""

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import chainlit.server
from chainlit.config import config

from xnai.ui.chainlit.bundle import with_changed_scripts

KATEX_STYLES = "vendor/katex/katex.min.css"  # below the public folder; see tools/vendor.py

_TAG = re.compile(  # no tag of a page is longer
    r"<(?:link|meta|script|img|iframe)\b[^>]{0,2000}>(?:\s*</(?:script|iframe)>)?", re.IGNORECASE
)
_OUTSIDE = re.compile(r"""=\s*+["']?+\s*+(?:https?:)?//""", re.IGNORECASE)
_SCRIPT = re.compile(r"<script\b([^>]{0,2000})>", re.IGNORECASE)
_SCRIPT_END = re.compile(r"</script>", re.IGNORECASE)
_SRC = re.compile(r"\bsrc\b", re.IGNORECASE)
_HEAD = re.compile(r"<head\b[^>]{0,2000}>\s*(?:<meta charset=[^>]{0,200}>)?", re.IGNORECASE)

# Chainlit's components set style attributes ('unsafe-inline'). All else is this server's, so that
# not even an image address in a model's answer can carry words of a document away.
_POLICY = (
    "default-src 'self'; script-src 'self' {hashes}; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; frame-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'"
)


def install(*, have_keys: bool = False, model_elsewhere: bool = False) -> None:
    """Make Chainlit serve its page without outside addresses and with a content policy.

    Args:
        have_keys: without any there is nothing to sign out of, see public/xnai.css.
        model_elsewhere: questions may go to another address, see public/page/welcome.js.

    """
    told = ("" if have_keys else 'data-person="local" ') + (
        'data-model="elsewhere" ' if model_elsewhere else ""
    )
    serve: Callable[[str], str] = getattr(
        chainlit.server.get_html_template, "original", chainlit.server.get_html_template
    )

    def serve_private(root_path: str) -> str:
        html = private_page(serve(root_path), root_path.rstrip("/"))
        html = with_changed_scripts(html)
        limits = config.features.spontaneous_file_upload
        files = f'data-most-mb="{limits.max_size_mb}" data-most-files="{limits.max_files}" '
        return html.replace("<html ", f"<html {told}{files}", 1)

    config.ui.default_theme = "system"
    private: Any = serve_private
    private.original = serve
    chainlit.server.get_html_template = private


@lru_cache(maxsize=8)
def private_page(html: str, root_path: str = "") -> str:
    """Return the page without tags that name another machine, and with a policy against all others.

    Args:
        html: the page as Chainlit makes it.
        root_path: the prefix of every address of this server.

    """

    def keep(match: re.Match[str]) -> str:
        tag = match.group()
        if not _OUTSIDE.search(tag):
            return tag
        if "katex" in tag:
            return f'<link rel="stylesheet" href="{root_path}/public/{KATEX_STYLES}">'
        return ""

    html = _TAG.sub(keep, html)
    hashes = " ".join(_source_hash(script) for script in _inline_scripts(html))
    policy = _POLICY.format(hashes=hashes)
    meta = f'\n    <meta http-equiv="Content-Security-Policy" content="{policy}">'
    return _HEAD.sub(lambda head: head.group() + meta, html, count=1)


def _inline_scripts(html: str) -> Iterator[str]:
    at = 0
    while start := _SCRIPT.search(html, at):
        end = _SCRIPT_END.search(html, start.end())
        if end is None:
            return
        if not _SRC.search(start[1]):
            yield html[start.end() : end.start()]
        at = end.end()


def _source_hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
