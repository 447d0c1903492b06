"""What a question is answered from: all of the documents' text, or what a search finds of it.

Documents that fit are given whole, for then nothing can be missed by search. Of longer ones whole
pages and sections are given, best first, until the budget is spent, and put in their order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xnai.answering.events import Question
from xnai.answering.query import query_of
from xnai.answering.reading.central import central_lines
from xnai.answering.reading.dated import asked_days, dated_stretches
from xnai.answering.reading.identified import has, identifiers
from xnai.answering.reading.lines import Sheet, make_sheet, of_lines
from xnai.answering.reading.structure import asked_numbers, asked_pages, stretches
from xnai.answering.run import AnswerRun
from xnai.documents.protocol import DocumentLibrary
from xnai.documents.text_work import TextWork
from xnai.errors import DOCUMENTS_TOO_LONG, XnaiError
from xnai.llm.protocol import LanguageModel
from xnai.retrieval.search import Found
from xnai.text.dates import Day
from xnai.types import PageText, Passage, Scope

WHOLE_TOKENS = 3000  # of documents that are given whole; measured by a prototype on 130 questions
FOUND_TOKENS = 1300  # of what a search finds
SUMMARY_TOKENS = 1800  # of the lines that a summary of a long document is made from
_SUMMARISED = 20_000_000  # characters of documents that are summarised
_LEAST_CHARACTERS = 3  # a token has, in most texts
_CHARACTERS = 6  # a token has, at most, in the languages that are counted first
_PASSAGES = 12  # that are asked for
_PAGE_CHARACTERS = 1800  # of a page that is given whole with its passage
_AROUND = 400  # characters of its page, before and after a passage
_SECTION = 1200  # characters from the beginning of a section that is named
_MESSAGE = 2400  # characters from the beginning of a message that is named
_SCANNED = 3_000_000  # characters in which a named section is looked for
_NAMED = 12  # sections, and pages, that a question may name


@dataclass(frozen=True, slots=True)
class Gathered:
    """Numbered lines; ``share`` is how much of the documents' text they are, 0 to 1.

    ``found`` is what a search said, None if none was needed.
    """

    sheet: Sheet
    share: float
    found: Found | None = None


class Gatherer:
    """Collects the text for one question."""

    def __init__(self, library: DocumentLibrary, text_work: TextWork) -> None:
        self._library = library
        self._text_work = text_work

    async def gather(self, run: AnswerRun, room: int) -> Gathered:
        """Collect lines of the documents in scope, of at most so many tokens."""
        scope = run.question.scope
        assert scope is not None
        whole = await self.whole(run.model, scope, min(WHOLE_TOKENS, room))
        if whole is not None:
            return Gathered(whole, 1.0)
        if run.whole is not None:
            async with self._text_work.turn(run.question.user):
                sheet, found = await self._central(scope, min(SUMMARY_TOKENS, room)), None
        else:
            sheet, found = await self._search(run, scope, min(FOUND_TOKENS, room))
        read = sum(line.end - line.start for line in sheet.lines)
        total = (await self._library.pages(scope, 0)).characters
        return Gathered(sheet, min(1.0, read / max(1, total)), found)

    async def fits(self, run: AnswerRun, room: int) -> bool:
        """Whether documents are given whole, where there is room for so many tokens."""
        assert run.question.scope is not None
        border = min(WHOLE_TOKENS, room)
        return await self.whole(run.model, run.question.scope, border) is not None

    async def whole(self, model: LanguageModel, scope: Scope, border: int) -> Sheet | None:
        """All lines of the documents in scope; None if they have more tokens than the border."""
        texts = await self._library.pages(scope, border * _CHARACTERS)
        if texts.pages is None:
            return None
        sheet = await self._text_work.run(make_sheet, texts.pages)
        tokens = sum(await model.count_tokens([sheet.text])) if sheet.lines else 0
        return sheet if tokens <= border else None

    async def _central(self, scope: Scope, budget: int) -> Sheet:
        """The lines that tell most, for a summary of what is too long to be read."""
        texts = await self._library.pages(scope, _SUMMARISED)
        if texts.pages is None:
            raise XnaiError(
                DOCUMENTS_TOO_LONG, count=texts.characters, unit="characters", limit=_SUMMARISED
            )
        return await self._text_work.run(_telling, texts.pages, budget * _LEAST_CHARACTERS)

    async def _search(self, run: AnswerRun, scope: Scope, budget: int) -> tuple[Sheet, Found]:
        found = await self._library.find(query_of(run.question), scope, _PASSAGES)
        named = await self._named(run.question, scope, found.passages)
        names = identifiers(run.question.text)
        # To an embedding one number is like another.
        first = sorted(found.passages, key=lambda one: not any(has(one.text, n) for n in names))
        wanted = [*named, *[await self._widened(passage) for passage in first]]
        counts = await run.model.count_tokens([page.text for page in wanted]) if wanted else []
        kept: list[PageText] = []
        for page, tokens in zip(wanted, counts, strict=True):
            # Several passages of one short page are all widened to that page.
            if tokens <= budget and not any(_holds(other, page) for other in kept):
                kept.append(page)
                budget -= tokens
        if not kept and found.passages:
            kept.append(_cut(found.passages[0], budget * _LEAST_CHARACTERS))
        sheet = await self._text_work.run(make_sheet, in_order(kept))
        return sheet, found

    async def _named(
        self, question: Question, scope: Scope, passages: Sequence[Passage]
    ) -> list[PageText]:
        """The sections, messages and pages that a question names."""
        numbers, wanted = asked_numbers(question.text), asked_pages(question.text)
        days = asked_days(question.text)
        named: list[PageText] = []
        if numbers or days:
            async with self._text_work.turn(question.user):
                named = await self._messages(days, scope) if days else []
                named += await self._sections(numbers, scope) if numbers else []
        for number in sorted(wanted)[:_NAMED]:
            for passage in {one.document_id: one for one in passages}.values():
                whole = await self._library.page_text(passage.document_id, number)
                if whole:
                    named.append(PageText(passage.document_id, passage.file_name, 0, number, whole))
        return named

    async def _messages(self, days: frozenset[Day], scope: Scope) -> list[PageText]:
        """The messages of some days."""
        pages = (await self._library.pages(scope, _SCANNED)).pages
        run = self._text_work.run
        return (await run(dated_stretches, pages, days, _MESSAGE))[:_NAMED] if pages else []

    async def _sections(self, numbers: frozenset[str], scope: Scope) -> list[PageText]:
        """The sections that have some numbers."""
        pages = (await self._library.pages(scope, _SCANNED)).pages
        begins = await self._text_work.run(stretches, pages, numbers) if pages else []
        return [
            replace(page, text=page.text[at : at + _SECTION], start=at)
            for page, at in begins[:_NAMED]
        ]

    async def _widened(self, passage: Passage) -> PageText:
        """A passage with what stands around it on its page, to whole lines."""
        whole = await self._library.page_text(passage.document_id, passage.page)
        start, end = passage.start, passage.end
        if whole is None:
            return _stretch(passage, passage.text, 0, len(passage.text), passage.start)
        if len(whole) <= _PAGE_CHARACTERS:
            return _stretch(passage, whole, 0, len(whole), 0)
        first = whole.rfind("\n", 0, max(0, start - _AROUND)) + 1
        last = whole.find("\n", min(len(whole), end + _AROUND))
        last = len(whole) if last < 0 else last
        if start - first > 2 * _AROUND:
            first = start
        if last - end > 2 * _AROUND:
            last = end
        return _stretch(passage, whole, first, last, first)


def _telling(pages: Sequence[PageText], characters: int) -> Sheet:
    return of_lines(central_lines(make_sheet(pages).lines, characters))


def _stretch(passage: Passage, text: str, start: int, end: int, offset: int) -> PageText:
    return PageText(
        passage.document_id,
        passage.file_name,
        0,
        passage.page,
        text[start:end],
        offset,
        passage.score,
    )


def _cut(passage: Passage, characters: int) -> PageText:
    """As much of a passage as there is room for, from its best sentence on."""
    start = passage.evidence[0] if passage.evidence else 0
    end = start + characters
    return _stretch(passage, passage.text, start, end, passage.start + start)


def _holds(one: PageText, other: PageText) -> bool:
    """Whether a stretch holds all of another."""
    same = (one.document_id, one.page) == (other.document_id, other.page)
    begins = one.start <= other.start
    return same and begins and other.start + len(other.text) <= one.start + len(one.text)


def in_order(pages: Sequence[PageText]) -> list[PageText]:
    """Stretches in the order of their documents and places; those that overlap become one.

    Documents keep the order in which they come first, which is that of the best stretch of each.
    """
    rank: dict[str, int] = {}
    for page in pages:
        rank.setdefault(page.document_id, len(rank))
    ordered = sorted(pages, key=lambda one: (rank[one.document_id], one.page or 0, one.start))
    merged: list[PageText] = []
    for page in ordered:
        last = merged[-1] if merged else None
        same = last and (last.document_id, last.page) == (page.document_id, page.page)
        if last and same and page.start <= last.start + len(last.text):
            rest = page.text[max(0, last.start + len(last.text) - page.start) :]
            merged[-1] = replace(last, text=last.text + rest, score=max(last.score, page.score))
        else:
            merged.append(page)
    return merged
