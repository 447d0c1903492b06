"""Texts and Markdown of the page: pure functions, so that hostile text is escaped in one place."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from xnai.errors import XnaiError
from xnai.locale import IN_ENGLISH, Texts, in_all_languages, marked
from xnai.types import Citation, Document, Passage
from xnai.ui import links

# & is escaped so that "&lt;" in a document is shown as these four characters.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-!|<>~:$&])")
_NUMBERED = re.compile(r"^\d{1,9}(?=\.)")  # as the items of a list are
_LINE_MARK = re.compile(r"(?m)^(?:#{1,6}|[-*+\u2022\u25aa\u2013])[ \t]+")  # of headings and items
_EXCERPT = 400
_QUOTED_OF_A_PAGE = 3  # more citations of one page are numbers alone in the list of sources
_HEADING = 30  # characters; a shorter text that is no sentence says nothing by itself
_SENTENCE_END = re.compile(r"[.!?\u3002\uff01\uff1f\u2026][\"')\]\u201d]*\s*$")
SOURCES = marked("\n\n**Sources**\n")  # the answer itself stands before it
EVIDENCE = marked("\n\n**Also in your documents**\n")

# Why an answer is not whole, by the state its stream ended in.
MARKS = {
    "stopped": marked("\n\n*Stopped.*"),
    "disconnected": marked("\n\n*The page was away for too long: the answer was stopped here.*"),
    "failed": marked("\n\n*The answer broke off here.*"),
    "timed_out": marked("\n\n*The answer took longer than allowed and was ended here.*"),
    "shut_down": marked("\n\n*The server was stopped before the answer was complete.*"),
    "killed": marked("\n\n*The server ended before the answer was complete.*"),
}
RUNNING = "running"  # while the stream has not ended
EARLIER = marked("\n\n*An earlier answer; there is a newer one below.*")


def plain(text: str) -> str:
    """Escape text so that Markdown shows it as it is, on one line."""
    escaped = _SPECIAL.sub(r"\\\1", links.break_links(" ".join(text.split())))
    return _NUMBERED.sub(r"\g<0>\\", escaped)


def shorten(text: str, limit: int = _EXCERPT) -> str:
    """Cut text to a length, at a blank if there is one."""
    if len(text) <= limit:
        return text
    return text[:limit].rsplit(" ", 1)[0] + " …"


def answer_text(output: str) -> str:
    """Return the answer alone from a message as it is on the page."""
    answer = _unmarked(output)
    for heading in in_all_languages(SOURCES):
        answer = answer.split(heading)[0]
    return links.unbreak_links(_unmarked(answer))


def _unmarked(output: str) -> str:
    for text in (EARLIER, *MARKS.values()):
        for mark in in_all_languages(text):
            output = output.removesuffix(mark).removesuffix(mark.strip())
    return output


def location(file_name: str, page: int | None, texts: Texts = IN_ENGLISH) -> str:
    """Return a place in a document: ``report.pdf, p. 3``."""
    if page is None:
        return file_name
    return texts.say("{file}, p. {page}", file=file_name, page=page)


def duration(seconds: float, texts: Texts = IN_ENGLISH) -> str:
    """Return a duration as a person would say it."""
    if seconds < 90:  # noqa: PLR2004 - below that, seconds read better than minutes
        shown = f"{max(seconds, 0.1):.1f}" if seconds < 10 else f"{seconds:.0f}"  # noqa: PLR2004
        return texts.say("{number} s", number=shown)
    return texts.say("{number} min", number=f"{seconds / 60:.0f}")


def ordinal(number: int) -> str:
    """Return a rank: 1st, 2nd, 3rd, 4th."""
    if number % 100 in {11, 12, 13}:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def said(text: str) -> str:
    """Return words of a document without the marks that begin its headings and items."""
    return _LINE_MARK.sub("", text)


def excerpt(passage: Passage) -> str:
    """Return a passage on one line: its evidence in bold, text far from it left out."""
    start, end = passage.evidence or (0, 0)
    before, best = said(passage.text[:start]), said(passage.text[start:end])
    after = shorten(" ".join(said(passage.text[end:]).split()), _EXCERPT // 2)
    before = " ".join(before.split())
    if len(before) > _EXCERPT // 2:
        before = "… " + before[-_EXCERPT // 2 :].split(" ", 1)[-1]
    parts = [plain(before), f"**{plain(shorten(best))}**" if best.strip() else "", plain(after)]
    return " ".join(part for part in parts if part)


def sources(citations: Sequence[Citation], texts: Texts = IN_ENGLISH) -> str:
    """Return the list of sources under an answer, a row for each page."""
    pages: dict[tuple[str, int | None], list[Citation]] = {}
    for citation in citations:
        pages.setdefault((citation.document_id, citation.page), []).append(citation)
    rows = [
        f"- {' '.join(links.citation_mark(c.index) for c in cited)} "
        f"**{plain(location(cited[0].file_name, cited[0].page, texts))}** — "
        + " ".join(f"“{plain(shorten(said(c.quote), 240))}”" for c in cited[:_QUOTED_OF_A_PAGE])
        for cited in pages.values()
    ]
    return texts.say(SOURCES) + "\n".join(rows) if rows else ""


def evidence(citations: Sequence[Citation], texts: Texts = IN_ENGLISH) -> str:
    """Return the list of what else answers, below the sources."""
    rows = [
        f"- {links.citation_mark(c.index)} **{plain(location(c.file_name, c.page, texts))}** — "
        f"“{plain(shorten(said(c.quote), 240))}”"
        for c in citations
    ]
    return texts.say(EVIDENCE) + "\n".join(rows) if rows else ""


def further(found: Sequence[Citation], shown: Sequence[Citation]) -> list[Citation]:
    """Return what was found beside what is shown, without headings, numbered after it."""
    covered = list(shown)
    for citation in found:
        if not _is_heading(citation.quote) and not _overlaps(citation, covered):
            covered.append(replace(citation, index=len(covered) + 1))
    return covered[len(shown) :]


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
    """Quote passages in place of an answer."""
    return "\n\n".join(
        f"> {plain(said(c.quote))} {links.citation_mark(c.index)}" for c in citations
    )


def marked_passages(
    passages: Sequence[Passage], citations: Sequence[Citation], texts: Texts = IN_ENGLISH
) -> str:
    """Show passages in place of an answer, with the sentence that answers best in bold."""
    rows = []
    for passage, cited in zip(passages, citations, strict=False):
        sentence = passage.evidence or (cited.start - passage.start, cited.end - passage.start)
        where = plain(location(cited.file_name, cited.page, texts))
        shown = excerpt(replace(passage, evidence=sentence))
        rows.append(f"> {shown} {links.citation_mark(cited.index)}\n>\n> {where}")
    return "\n\n".join(rows)


def waiting(position: int, eta_seconds: float | None, texts: Texts = IN_ENGLISH) -> str:
    """Say the place in the queue."""
    place = ordinal(position) if texts is IN_ENGLISH else str(position)
    if eta_seconds is None:
        return texts.say("Waiting for the model: {place} in line", place=place)
    time = countdown(eta_seconds, texts)
    return texts.say("Waiting for the model: {place} in line, about {time}", place=place, time=time)


def countdown(seconds: float, texts: Texts = IN_ENGLISH) -> str:
    """Round seconds for a countdown that runs while it is read: whole, and at least one."""
    whole = max(1, math.ceil(seconds))
    if whole < 90:  # noqa: PLR2004 - as in duration
        return texts.say("{number} s", number=whole)
    return duration(whole, texts)


def next_attempt(seconds: float | None, texts: Texts) -> str:
    """Say when something is tried again; empty if it is not."""
    if not seconds:
        return ""
    return " " + texts.say("Next attempt in about {time}.", time=duration(seconds, texts))


def degraded(
    reason: XnaiError, retry_in: float | None, request_id: str, texts: Texts = IN_ENGLISH
) -> str:
    """Say why there are passages instead of an answer."""
    return (
        f"**{texts.say('No answer was generated.')}** {plain(told(reason, texts)[0])}"
        f"{next_attempt(retry_in, texts)} {error_reference(reason, request_id)}\n\n"
        f"{texts.say('These passages of your documents fit the question best:')}\n\n"
    )


_REDUCED = {
    "text_only": (
        marked("Searched by words alone"),
        marked(
            "Only the words of your documents were compared with the question, not their meaning."
        ),
    ),
    "no_documents": (
        marked("Answered without your documents"),
        marked("Your documents could not be searched: the answer below does not come from them."),
    ),
    "local_model": (
        marked("Answered by the model on this machine"),
        marked("No model endpoint can be asked at the moment."),
    ),
}


def reduced(
    rung: str, reason: XnaiError, request_id: str, texts: Texts = IN_ENGLISH
) -> tuple[str, str]:
    """Return title and body of the step that says what an answer has to do without."""
    title, words = (texts.say(text) for text in _REDUCED[rung])
    again = next_attempt(reason.retry_after, texts)
    message = plain(told(reason, texts)[0])
    return title, f"{words} {message}{again}\n\n{error_reference(reason, request_id)}"


def told(exc: XnaiError, texts: Texts) -> tuple[str, str]:
    """Return what went wrong and what to do, where that is translated; else in English."""
    return exc.in_words_of(texts.translation)


def failure(exc: XnaiError, request_id: str, texts: Texts = IN_ENGLISH) -> str:
    """Say what went wrong, what to do, and when to try again."""
    message, hint = map(plain, told(exc, texts))
    again = ""
    if exc.retry_after:
        time = duration(exc.retry_after, texts)
        again = " " + texts.say("Try again in about {time}.", time=time)
    return f"{message} {hint}{again}\n\n{error_reference(exc, request_id)}"


def failure_line(exc: XnaiError, texts: Texts = IN_ENGLISH) -> str:
    """Say what went wrong, and what to do, where the step above has the reference."""
    message, hint = map(plain, told(exc, texts))
    return f"{message} {hint}"


def error_reference(exc: XnaiError, request_id: str) -> str:
    """Return the code of an error, and the id under which the log has it.

    The page folds both away, see public/page/details.js.
    """
    return f"*{exc.code} · {request_id}*"


def toast(exc: XnaiError, request_id: str, texts: Texts = IN_ENGLISH) -> str:
    """Say what went wrong beside the chat, where no Markdown is rendered."""
    message, hint = told(exc, texts)
    return f"{message} {hint} ({exc.code} · {request_id})"


def document_line(document: Document, texts: Texts = IN_ENGLISH) -> str:
    """Summarise a document that was read."""
    name = plain(document.file_name)
    pages = texts.say_number("{number} page", "{number} pages", document.page_count)
    counted = f"{pages}, " if document.page_count > 1 else ""
    chunks = texts.say_number("{number} passage", "{number} passages", document.chunk_count)
    replaces = ""
    if document.replaces:
        replaces = "; " + texts.say("replaces the earlier {file}", file=name)
    return f"{name} ({counted}{chunks}){replaces}"
