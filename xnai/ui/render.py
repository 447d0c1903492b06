"""Words and Markdown of the page; pure functions, so that hostile text is tamed in one place."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from xnai.errors import XnaiError
from xnai.types import Citation, Document, Passage

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-!|<>~:$])")
# A definition such as "[1]: address" would turn every later [1] into a link to that address; the
# page also makes links of bare addresses, whatever Markdown says.
_LINKS = re.compile(r"(!(?=\[)|\](?=[(:\[]))")
_ADDRESSES = re.compile(r"(?i)(:(?=/)|\bwww(?=\.))")
_JOINER = "\u2060"  # invisible; an address with it in the middle is no address
_EXCERPT = 400
_HEADING = 30  # characters; what is as short and no sentence tells nothing by itself
_SENTENCE_END = re.compile(r"[.!?\u3002\uff01\uff1f\u2026][\"')\]\u201d]*\s*$")
SOURCES = "\n\n**Sources**\n"  # what stands before it is the answer itself

# Why an answer is not whole, by the state its stream ended in.
MARKS = {
    "stopped": "\n\n*Stopped.*",
    "disconnected": "\n\n*The page was away for too long: the answer was stopped here.*",
    "failed": "\n\n*The answer broke off here.*",
    "timed_out": "\n\n*The answer took longer than allowed and was ended here.*",
    "shut_down": "\n\n*The server was stopped before the answer was complete.*",
    "killed": "\n\n*The server ended before the answer was complete.*",
}
RUNNING = "running"  # in place of such a state, while there is no end yet
EARLIER = "\n\n*An earlier answer; there is a newer one below.*"


def plain(text: str) -> str:
    """Escape text so that Markdown shows it as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", _unlinked(" ".join(text.split())))


def _unlinked(text: str) -> str:
    return _ADDRESSES.sub(rf"\1{_JOINER}", text)


def shorten(text: str, limit: int = _EXCERPT) -> str:
    """Cut text to a length, at a blank where there is one."""
    if len(text) <= limit:
        return text
    return text[:limit].rsplit(" ", 1)[0] + " …"


class LinkBreaker:
    """Takes the links and images out of streamed Markdown that a model wrote.

    A document can talk a model into writing an image whose address carries the conversation away;
    the words stay, the link is broken by a blank, a bare address by an invisible character.
    """

    def __init__(self) -> None:
        self._last = ""  # what may be the beginning of a link

    def feed(self, text: str) -> str:
        """Return the text with links broken, however the stream is cut."""
        shown = self._broken(self._last + text)[len(self._broken(self._last)) :]
        self._last = (self._last + text)[-4:]
        return shown

    @staticmethod
    def _broken(text: str) -> str:
        return _unlinked(_LINKS.sub(r"\1 ", text))


def spoken(output: str) -> str:
    """The answer alone, of a message as it is on the page."""
    return _unmarked(_unmarked(output).split(SOURCES)[0])


def _unmarked(output: str) -> str:
    for mark in (EARLIER, *MARKS.values()):
        output = output.removesuffix(mark).removesuffix(mark.strip())
    return output


def place(file_name: str, page: int | None) -> str:
    """Name a place in a document: ``report.pdf, p. 3``."""
    return file_name if page is None else f"{file_name}, p. {page}"


def duration(seconds: float) -> str:
    """Seconds in words a person would use."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 90:  # noqa: PLR2004 - below that, seconds read better than minutes
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004
    return f"{seconds / 60:.0f} min"


def ordinal(number: int) -> str:
    """Write a rank: 1st, 2nd, 3rd, 4th."""
    if number % 100 in {11, 12, 13}:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def passage_list(passages: Sequence[Passage]) -> str:
    """Show what was found, with scores, as the body of the retrieval step."""
    rows = [
        f"**{i}. {plain(place(p.file_name, p.page))}** · score {p.score:.2f}\n\n> {excerpt(p)}"
        for i, p in enumerate(passages, 1)
    ]
    return "\n\n".join(rows)


def excerpt(passage: Passage) -> str:
    """A passage on one line, its evidence in bold, what is far from it left out."""
    start, end = passage.evidence or (0, 0)
    before, best = passage.text[:start], passage.text[start:end]
    after = shorten(" ".join(passage.text[end:].split()), _EXCERPT // 2)
    before = " ".join(before.split())
    if len(before) > _EXCERPT // 2:
        before = "… " + before[-_EXCERPT // 2 :].split(" ", 1)[-1]
    parts = [plain(before), f"**{plain(shorten(best))}**" if best.strip() else "", plain(after)]
    return " ".join(part for part in parts if part)


def sources(citations: Sequence[Citation]) -> str:
    """Write the list of sources under an answer."""
    if not citations:
        return ""
    rows = [
        f"- [{c.index}] **{plain(place(c.file_name, c.page))}** — “{plain(shorten(c.quote, 240))}”"
        for c in citations
    ]
    return SOURCES + "\n".join(rows)


def evidence(found: Sequence[Citation], shown: Sequence[Citation]) -> str:
    """Quote the sentences that answer best, without headings and what is shown already."""
    rows: list[str] = []
    told = list(shown)
    for citation in found:
        if not _is_heading(citation.quote) and not _overlaps(citation, told):
            told.append(citation)
            quote = plain(shorten(citation.quote, 240))
            rows.append(f"- **{plain(place(citation.file_name, citation.page))}** — “{quote}”")
    return "\n\nEvidence:\n" + "\n".join(rows) if rows else ""


def _is_heading(quote: str) -> bool:
    return len(quote) <= _HEADING and not _SENTENCE_END.search(quote)


def _overlaps(citation: Citation, others: Sequence[Citation]) -> bool:
    here = (citation.document_id, citation.page)
    return any(
        here == (other.document_id, other.page)
        and citation.start < other.end
        and other.start < citation.end
        for other in others
    )


def quotes(citations: Sequence[Citation]) -> str:
    """Quote passages in the place of an answer."""
    return "\n\n".join(f"> {plain(c.quote)} [{c.index}]" for c in citations)


def marked(passages: Sequence[Passage], citations: Sequence[Citation]) -> str:
    """Show passages in the place of an answer, in each the sentence that answers best in bold."""
    rows = []
    for passage, cited in zip(passages, citations, strict=False):
        sentence = passage.evidence or (cited.start - passage.start, cited.end - passage.start)
        where = plain(place(cited.file_name, cited.page))
        shown = excerpt(replace(passage, evidence=sentence))
        rows.append(f"> {shown} [{cited.index}]\n>\n> {where}")
    return "\n\n".join(rows)


def waiting(position: int, eta_seconds: float | None) -> str:
    """Say the place in the queue."""
    estimate = "" if eta_seconds is None else f", about {countdown(eta_seconds)}"
    return f"Waiting for the model: {ordinal(position)} in line{estimate}"


def countdown(seconds: float) -> str:
    """Seconds that are counted down while they are read: whole, and never none."""
    whole = max(1, math.ceil(seconds))
    return f"{whole} s" if whole < 90 else duration(whole)  # noqa: PLR2004 - as in duration


def degraded(reason: XnaiError, retry_in: float | None, request_id: str) -> str:
    """Say why there are passages instead of an answer."""
    again = f" Next attempt in about {duration(retry_in)}." if retry_in else ""
    return (
        f"**No answer was generated.** {plain(reason.message)}{again} "
        f"{told_as(reason, request_id)}\n\n"
        "These passages of your documents fit the question best:\n\n"
    )


_REDUCED = {
    "text_only": (
        "Searched by words alone",
        "Only the words of your documents were compared with the question, not their meaning.",
    ),
    "no_documents": (
        "Answered without your documents",
        "Your documents could not be searched: the answer below does not come from them.",
    ),
    "local_model": (
        "Answered by the model on this machine",
        "No model endpoint can be asked at the moment.",
    ),
}


def reduced(rung: str, reason: XnaiError, request_id: str) -> tuple[str, str]:
    """Say what an answer has to do without, as title and body of a step."""
    title, words = _REDUCED[rung]
    again = f" Next attempt in about {duration(reason.retry_after)}." if reason.retry_after else ""
    return title, f"{words} {plain(reason.message)}{again}\n\n{told_as(reason, request_id)}"


def failure(exc: XnaiError, request_id: str) -> str:
    """Say what went wrong, what to do, and when to try again."""
    again = f" Try again in about {duration(exc.retry_after)}." if exc.retry_after else ""
    return f"{plain(exc.message)} {plain(exc.hint)}{again}\n\n{told_as(exc, request_id)}"


def failure_line(exc: XnaiError, request_id: str) -> str:
    """The same on one line."""
    return f"{plain(exc.message)} {plain(exc.hint)} {told_as(exc, request_id)}"


def told_as(exc: XnaiError, request_id: str) -> str:
    """The code of an error, and by what id the log has it."""
    return f"*{exc.code} · {request_id}*"


def toast(exc: XnaiError, request_id: str) -> str:
    """Say what went wrong beside the chat, where no Markdown is shown."""
    return f"{exc.message} {exc.hint} ({exc.code} · {request_id})"


def document_line(document: Document) -> str:
    """Summarise a document that was read."""
    pages = f"{document.page_count} page{'s' if document.page_count != 1 else ''}, "
    counted = pages if document.page_count > 1 else ""
    chunks = f"{document.chunk_count} passage{'s' if document.chunk_count != 1 else ''}"
    replaces = f"; replaces the earlier {plain(document.file_name)}" if document.replaces else ""
    return f"{plain(document.file_name)} ({counted}{chunks}){replaces}"
