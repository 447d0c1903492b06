"""HTML from the templates, with a policy that lets a page run nothing but its own modules."""

import json
from collections.abc import Mapping
from pathlib import Path

import structlog
from chainlit.config import public_dir
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from xnai.errors import XnaiError
from xnai.locale import Texts

_log = structlog.get_logger(__name__)
_TEMPLATES = Path(__file__).with_name("templates")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "private, no-store",
    "Vary": "Accept-Language",
}

# Everything that is put into a template is escaped, file names and texts of documents above all.
_environment = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page_response(
    template: str, values: Mapping[str, object], texts: Texts, status: int = 200
) -> HTMLResponse:
    """Return a page made from a template, in the language of the texts."""
    html = _environment.get_template(template).render(
        values, say=texts.say, language=texts.language, direction=texts.direction
    )
    return HTMLResponse(html, status, headers={**_HEADERS, "Content-Language": texts.language})


def problem_page(  # noqa: PLR0913 - what a page says
    status: int,
    title: str,
    words: str,
    texts: Texts,
    *,
    reference: str = "",
    link: tuple[str, str] = ("", ""),
) -> HTMLResponse:
    """Return a page that says what is wrong; ``link`` is an address with its words."""
    values = {"title": title, "words": words, "reference": reference, "link": link}
    return page_response("problem.html", values, texts, status)


def catalogued_problem(error: XnaiError, title: str, texts: Texts) -> HTMLResponse:
    """Return a page that says an error of the catalogue, with its status."""
    words = " ".join(error.in_words_of(texts.translation)).strip()
    return problem_page(error.kind.status, title, words, texts, reference=error.code)


def theme_css() -> str:
    """Return the style sheet that gives our pages the colours and fonts of the chat.

    Without a theme that can be read they have the browser's; that keeps no server from starting.
    """
    try:
        theme = json.loads((Path(public_dir) / "theme.json").read_text(encoding="utf-8"))
        light, dark = (_declarations(theme["variables"][name]) for name in ("light", "dark"))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as exc:
        _log.warning("the theme of the page cannot be read", reason=type(exc).__name__)
        return ""
    return (
        f":root {{\n{light}}}\n"
        f"@media (prefers-color-scheme: dark) {{\n:root:not(.light) {{\n{dark}}}\n}}\n"
        f":root.dark {{\n{dark}}}\n"
    )


def _declarations(variables: Mapping[str, str]) -> str:
    return "".join(f"  {name}: {value};\n" for name, value in variables.items())
