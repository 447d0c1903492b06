"""A conversation to take along: Markdown for people, JSON for programs, with quotes and pages.

Both are made of the messages as the history keeps them. The citations of an answer are links there,
and the words that they cite stand behind them in the list of sources.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from xnai.locale import in_all_languages
from xnai.ui import links, markdown

_LINK = re.compile(
    r"\[\[(?P<index>\d{1,6})\]\]\(/reader/(?P<document>[^?\s)]{1,100})"
    r"\?page=(?P<page>\d{1,9})&start=(?P<start>\d{1,12})&end=(?P<end>\d{1,12})"
    r' "(?P<place>(?:[^"\\\n]|\\.){0,600})"\)'
)
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_SPOKEN = {"user_message": "user", "assistant_message": "assistant"}


@dataclass(frozen=True, slots=True)
class ExportedCitation:
    """What a mark cites; ``page`` is None for a document without pages."""

    index: int
    place: str
    document_id: str
    page: int | None
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class ExportedMessage:
    """One message: who says it, when, and what; ``shown`` has the list of its sources too."""

    role: str
    created_at: str
    text: str
    shown: str
    citations: tuple[ExportedCitation, ...]


def messages_of(steps: Sequence[Mapping[str, Any]]) -> list[ExportedMessage]:
    """Return what was said in a thread, in its order; errors and steps are left out."""
    return [
        _message(_SPOKEN[step["type"]], str(step.get("createdAt") or ""), str(step["output"]))
        for step in sorted(steps, key=lambda step: step.get("createdAt") or "")
        if step["type"] in _SPOKEN and step.get("output") and not step.get("isError")
    ]


def as_json(
    name: str, created_at: str, messages: Sequence[ExportedMessage], *, is_whole: bool = True
) -> str:
    """Return a conversation as JSON; ``complete`` is whether its beginning is there."""
    said = [asdict(one) for one in messages]
    for one in said:
        del one["shown"]
    whole = {"name": name, "created_at": created_at, "complete": is_whole, "messages": said}
    return json.dumps(whole, ensure_ascii=False, indent=2)


def as_markdown(name: str, messages: Sequence[ExportedMessage], note: str = "") -> str:
    """Return a conversation as Markdown: what was asked as quotations, answers with sources.

    ``note`` comes first.
    """
    parts = [f"# {' '.join(name.split())}", *([f"*{note}*"] if note else [])]
    for one in messages:
        asked = "\n".join(f"> {line}".rstrip() for line in one.text.splitlines())
        parts.append(asked if one.role == "user" else one.shown)
    return "\n\n".join(parts) + "\n"


def _message(role: str, created_at: str, output: str) -> ExportedMessage:
    if role == "user":
        return ExportedMessage(role, created_at, output.strip(), output.strip(), ())
    shown = links.unbreak_links(_LINK.sub(r"[\g<index>]", output)).strip()
    text = _LINK.sub(r"[\g<index>]", _answer(output))
    citations = tuple({one.index: one for one in _citations(output)}.values())
    return ExportedMessage(role, created_at, links.unbreak_links(text).strip(), shown, citations)


def _answer(output: str) -> str:
    """Return an answer without its lists of sources."""
    for heading in (markdown.SOURCES, markdown.EVIDENCE):
        for said in in_all_languages(heading):
            output = output.partition(said)[0]
    return output


def _citations(output: str) -> Iterator[ExportedCitation]:
    """Return the citations of an answer; one in its text comes first, the one with a quote last."""
    for line in output.splitlines():
        quotes = [links.unbreak_links(_plain(quote)) for quote in _quotes(line)]
        for number, found in enumerate(_LINK.finditer(line)):
            page = int(found["page"])
            yield ExportedCitation(
                index=int(found["index"]),
                place=links.unbreak_links(_plain(found["place"])),
                document_id=found["document"],
                page=page or None,
                start=int(found["start"]),
                end=int(found["end"]),
                quote=quotes[number] if number < len(quotes) else "",
            )


def _quotes(line: str) -> list[str]:
    """Return the words that a row of the sources quotes, in the order of its marks."""
    quoted = line.rstrip().partition("** — “")[2]
    return quoted.removesuffix("”").split("” “") if quoted and line.startswith("- ") else []


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)
