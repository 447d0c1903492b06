"""The text of documents as numbered lines, under the names of their files and pages.

A model that quotes the number of a line before it answers says itself what its answer stands on.
So nothing in a document may look like a number of a line: "[12]" is shown as "(12)".
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from xnai.answering.citations import words_of
from xnai.text.raw_lines import raw_lines
from xnai.text.sentences import STOPS, sentences
from xnai.text.ticks import ticks_in_words
from xnai.types import Citation, PageText

LONGEST = 320  # characters of a line; a longer one is cut at its sentences
_ENDS = re.compile(rf"[{STOPS}:;|\u2026]['\")\]»”]*$")
# Words that no heading and no item ends with.
_OPEN = frozenset(
    word
    for words in (
        "a an the of to in at by for from with and or per than In The",
        "der die das den dem des ein eine einen einem einer eines im am an auf aus bei mit nach",
        "von vom zu zum zur für über unter bis ab je und oder sowie durch Im Am Der Die Das",
        "le la les un une des du de au aux et ou à en dans par pour sur avec sans Le La Les",
        "el los las una del al con por sin sobre El Los Las il lo gli di da",
    )
    for word in words.split()
)
# What begins a line of its own, though the line before has not ended: an item, a number, a cell.
_BEGINS = re.compile(r"\W|\d|[ivxlc]{1,4}[.)]|[a-z][.)]", re.IGNORECASE)
_BRACKETED = re.compile(r"\[([\d\s,;\-\u2013]{1,40})\]")
_CARRYING = 12  # rows that are looked up for a line that was calculated
_TO_BE_JOINED = 40  # characters; a shorter line that ends without a stop may be a label,
_NARROW = 24  # unless it fills a column, which has no fewer
_FULL = 0.75  # of a column's width that a broken line has at least


@dataclass(frozen=True, slots=True)
class RowPlace:
    """A stretch of a page."""

    document_id: str
    page: int | None
    start: int
    end: int

    def holds(self, line: "NumberedLine") -> bool:
        """Whether a line of the document stands here."""
        source = line.source
        here = (source.document_id, source.page) == (self.document_id, self.page)
        return here and not line.stands_on and self.start <= line.start < self.end


@dataclass(frozen=True, slots=True)
class NumberedLine:
    """A numbered line; ``start`` and ``end`` are offsets in the text of its page.

    ``stands_on`` are the rows of a line that was calculated, as places on their pages; its own
    place is that of the first. ``shown`` is what it says in the reader's language.
    """

    number: int
    source: PageText
    start: int
    end: int
    text: str
    stands_on: tuple[RowPlace, ...] = ()
    shown: str = ""

    def citation(self, index: int) -> Citation:
        """What ``[index]`` in an answer refers to, if it stands on this line."""
        source = self.source
        return Citation(
            index=index,
            document_id=source.document_id,
            file_name=source.file_name,
            page=source.page,
            start=self.start,
            end=self.end,
            quote=source.text[self.start - source.start : self.end - source.start],
            score=source.score,
        )


@dataclass(frozen=True, slots=True)
class Sheet:
    """Numbered lines, and the text in which a model gets them."""

    lines: tuple[NumberedLine, ...]
    text: str

    @property
    def told(self) -> str:
        """All that the lines and headers say, without the numbers of lines."""
        return re.sub(r"(?m)^\[\d+\] ", "", self.text)

    @property
    def headers(self) -> str:
        """The names of files and pages that stand between the lines."""
        return "\n".join(re.findall(r"(?m)^(?:===|---) .*$", self.text))

    def line(self, number: int) -> NumberedLine | None:
        """The line with a number; None if there is none."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else None


def make_sheet(pages: Iterable[PageText]) -> Sheet:
    """Number the lines of pages, which come in the order of their documents."""
    return of_lines(
        NumberedLine(
            0,
            page,
            page.start + start,
            page.start + end,
            ticks_in_words(" ".join(page.text[start:end].split())),
        )
        for page in pages
        for start, end in _spans(page.text)
    )


def of_lines(chosen: Iterable[NumberedLine], hidden: Iterable[NumberedLine] = ()) -> Sheet:
    """Number lines anew, which come in the order of their documents and pages.

    ``hidden`` ones are not told to the model, but what is told may stand on them.
    """
    lines: list[NumberedLine] = []
    shown: list[str] = []
    document, page = "", None
    for line in chosen:
        source = line.source
        if source.document_id != document:
            document, page = source.document_id, None
            count = f" ({source.page_count} pages)" if source.page_count > 1 else ""
            shown.append(f"=== File: {_plain(source.file_name)}{count} ===")
        if source.page is not None and source.page != page and source.page_count != 1:
            page = source.page
            shown.append(f"--- Page {page} ---")
        lines.append(replace(line, number=len(lines) + 1))
        shown.append(f"[{len(lines)}] {_plain(line.text)}")
    lines += [replace(line, number=at) for at, line in enumerate(hidden, len(lines) + 1)]
    return Sheet(tuple(lines), "\n".join(shown))


def results_alone(sheet: Sheet) -> Sheet | None:
    """What the program has worked out, with all other lines hidden; None if it has nothing."""
    results = [line for line in sheet.lines if line.stands_on]
    return of_lines(results, [o for o in sheet.lines if not o.stands_on]) if results else None


def carrying(lines: Iterable[NumberedLine], sheet: Sheet) -> list[NumberedLine]:
    """The lines of documents that carry quoted ones: the rows, where one was calculated."""
    found: dict[NumberedLine, None] = {}
    for line in lines:
        rows = [row for place in line.stands_on for row in sheet.lines if place.holds(row)][
            :_CARRYING
        ]
        found.update(dict.fromkeys(rows or [line]))
    return list(found)


def _plain(text: str) -> str:
    """A text in which no number stands in brackets as those of lines do."""
    return _BRACKETED.sub(r"(\1)", text)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """The lines of a text: those that a page's or a column's width has broken are whole again."""
    for block in _blocks(text):
        width = max(end - start for start, end in block)
        open_span, last = block[0], block[0]
        for start, end in block[1:]:
            if _goes_on(text[slice(*last)], text[start:end], width):
                open_span = (open_span[0], end)
            else:
                yield from _cut(text, *open_span)
                open_span = (start, end)
            last = (start, end)
        yield from _cut(text, *open_span)


def _blocks(text: str) -> Iterator[list[tuple[int, int]]]:
    """The raw lines between blank ones."""
    block: list[tuple[int, int]] = []
    for start, end in raw_lines(text):
        if block and text.count("\n", block[-1][1], start) > 1:
            yield block
            block = []
        block.append((start, end))
    if block:
        yield block


def _goes_on(line: str, following: str, width: int) -> bool:
    """Whether a line was only broken by the width of its page or column."""
    full = len(line) >= min(_TO_BE_JOINED, max(_NARROW, _FULL * width))
    broken = full and not _ENDS.search(line)
    if broken and line.rpartition(" ")[2] in _OPEN:
        return following[:1].isalnum()  # names begin with capitals, and German nouns
    return broken and not _BEGINS.match(following) and following[:1].islower()


def _cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut what is too long for one line at the ends of its sentences."""
    if end - start <= LONGEST:
        yield start, end
        return
    first = start
    last = start
    for _, sentence_end in sentences(text[start:end]) or [(0, end - start)]:
        if last > first and start + sentence_end - first > LONGEST:
            yield first, last
            first = last
        last = start + sentence_end
    if first < end:
        yield first, end


_QUOTE = re.compile(r"((?:\[\d{1,5}\]\s?)+)([^\[]{0,400})")
_SAME = 0.6  # of the words of a quote that stand on the line that it is of
_LEAST_QUOTED = 3  # words that tell one line from another


def quoted_lines(source: str, sheet: Sheet) -> list[NumberedLine]:
    """The lines that a source quotes, each once, in its order.

    A model copies the words of a line more reliably than its number: where the two do not agree,
    the line is the one that has the words.
    """
    found = {number: sheet.line(number) for number in quoted_numbers(source)}
    for match in _QUOTE.finditer(source):
        numbers, words = quoted_numbers(match[1]), words_of(match[2])
        if len(numbers) != 1 or len(words) < _LEAST_QUOTED:
            continue
        named = found.get(numbers[0])
        if named is None or _share(words, named) < _SAME:
            best = max(sheet.lines, key=lambda line: _share(words, line), default=None)
            if best is None or _share(words, best) < _SAME:
                continue
            named = found[numbers[0]] = best
        behind = sheet.line(named.number + 1)
        if behind is not None and _is_quoted_too(behind, words - words_of(named.text)):
            found.setdefault(behind.number, behind)
    return list(dict.fromkeys(line for line in found.values() if line is not None))


def _is_quoted_too(line: NumberedLine, words: frozenset[str]) -> bool:
    """Whether a quote goes on over the end of its line, which a page's width has broken."""
    own = words_of(line.text)
    return bool(own) and len(own & words) >= _SAME * len(own)


def _share(words: frozenset[str], line: NumberedLine) -> float:
    return len(words & words_of(line.text)) / len(words)


def quoted_numbers(text: str) -> list[int]:
    """The numbers of lines that a text names as ``[12]`` or ``[3, 4]``, each once, in order."""
    found: dict[int, None] = {}
    for group in re.findall(r"\[(\d{1,5}(?:\s?[,;\-\u2013]\s?\d{1,5})*)\]", text):
        for number in _numbers(group):
            found[number] = None
    return list(found)


def _numbers(group: str) -> Sequence[int]:
    first, *rest = re.split(r"\s?[\-\u2013]\s?", group)
    if rest and first.isdigit() and rest[-1].isdigit():
        begin, end = int(first), int(rest[-1])
        return range(begin, min(end, begin + 40) + 1)
    return [int(number) for number in re.findall(r"\d+", group)]
