"""Citations on the page: links to the reader in the text of an answer.

An answer is put together with marks (``citation_mark``), which no code of a model contains; when it
is whole they are numbered in the order in which they stand, and each becomes a link.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote, urlencode

from xnai.locale import IN_ENGLISH, Texts
from xnai.types import Citation
from xnai.ui import links, markdown

# Directly behind a word or a bracket stands what a model wrote: grid[0][1].
_WRITTEN = re.compile(rf"(?<![\w\]{links.JOINER}])\[(\d{{1,6}})\]")  # as an answer comes
_MARK = re.compile(rf"(?<![\w\]){links.JOINER}])\[{links.JOINER}(\d{{1,6}})\]")


def address(citation: Citation) -> str:
    """Return the address at which the reader shows what a citation cites."""
    place = {"page": citation.page or 0, "start": citation.start, "end": citation.end}
    return f"{links.READER}/{quote(citation.document_id, safe='')}?{urlencode(place)}"


def numbered(text: str, citations: Sequence[Citation]) -> tuple[str, list[Citation]]:
    """Number the citations 1, 2, 3 in the order of their marks in a text, and the marks with them.

    Citations without a mark come last. Marks without a citation stay as they are.
    """
    known = {citation.index: citation for citation in citations}
    marked = [int(mark[1]) for mark in _MARK.finditer(text)]
    order = dict.fromkeys(index for index in [*marked, *known] if index in known)
    numbers = {index: number for number, index in enumerate(order, 1)}

    def renumber(mark: re.Match[str]) -> str:
        index = int(mark[1])
        return links.citation_mark(numbers.get(index, index))

    cited = [replace(known[index], index=number) for index, number in numbers.items()]
    return _MARK.sub(renumber, text), cited


def last_mark(text: str) -> int:
    """Return the highest number of a mark in an answer as it came; 0 if it has none."""
    return max((int(mark[1]) for mark in _WRITTEN.finditer(text)), default=0)


def moved(text: str, by: int) -> str:
    """Raise the numbers of the marks in an answer as it came: others stand in what went before."""
    return _WRITTEN.sub(lambda mark: f"[{int(mark[1]) + by}]", text) if by else text


def linked(text: str, citations: Sequence[Citation], texts: Texts = IN_ENGLISH) -> str:
    """Make a link to the reader of each mark that has a citation."""
    return with_links(text, {citation.index: link(citation, texts) for citation in citations})


def link(citation: Citation, texts: Texts = IN_ENGLISH) -> str:
    """Return the link of one citation; its title names the place."""
    where = markdown.location(citation.file_name, citation.page, texts)
    title = markdown.plain(where).replace('"', '\\"')
    return f'[[{citation.index}]]({address(citation)} "{title}")'


def named(citation: Citation, texts: Texts = IN_ENGLISH) -> str:
    """Return a link that reads as the place: ``report.pdf, p. 3``."""
    where = markdown.plain(markdown.location(citation.file_name, citation.page, texts))
    return f"[{where}]({address(citation)})"


def with_links(text: str, made: Mapping[int, str]) -> str:
    """Put links in the place of the marks that have one."""
    return _MARK.sub(lambda mark: made.get(int(mark[1]), mark[0]), text)
