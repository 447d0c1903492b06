"""Break the links in Markdown that a model wrote, or that was quoted from a document.

A document can make a model write a link or an image whose address carries the conversation away.
The page turns Markdown links and bare addresses into links, and it resolves escapes and character
references first: ``http&colon;//`` is an address to it. So an invisible character is put into every
place where a link could begin, in whatever form it is written. That needs no parsing and is right
however a stream is cut. Inside code nothing is a link, and a copy of code must be what the model
wrote: once the text is whole, a parser finds the code, and there the characters are removed.
"""

import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

JOINER = "\u2060"  # no width; with it inside, text is neither an address nor Markdown
READER = "/reader"  # where the page shows documents; the one place that answers lead to
_CITATION = re.compile(
    rf'\[\[(\d{{1,6}})\]\]\({READER}/[^\s()"]{{1,400}} "(?:[^"\\]|\\.){{0,2000}}"\)'
)


def _written(characters: str) -> str:
    """Return a pattern for a character in every form that Markdown allows: bare, or by number."""
    numbers = "|".join(
        f"#0{{0,6}}{ord(character)};|#x0{{0,5}}{ord(character):x};" for character in characters
    )
    return f"(?:[{characters}]|&(?i:{numbers}))"


# Beginnings of a character in another form: an escape, or a reference.
_OTHER_FORM = r"\\&"
_COLON = rf"(?:{_written(':')}|&colon;)"
_AT = rf"(?:{_written('@')}|&commat;)"
_W = rf"(?i:{_written('wW')})"
_BREAKS = re.compile(
    "|".join(
        (
            r"\](?=[(:\[])",  # [a](b), [a][b]; [a]: b would make a link of every later [a]
            r"!(?=\[)",
            r"\[(?=[0-9^])",  # a footnote; for the marks of citations see citation_mark()
            r"<(?=[A-Za-z/!?])",  # <http://a>, <a@b.c>, HTML
            rf"{_COLON}(?=[/{_OTHER_FORM}])",
            r":(?=[A-Za-z])",  # :name is a directive of the page's Markdown, and would be swallowed
            rf"{_W}{{3}}(?=[.{_OTHER_FORM}])",
            rf"{_AT}(?=\S)",
        )
    )
)
_BEHIND = 48  # characters; more than the longest of the patterns: www as three references
# Blanks that the page, or Python, strips before it reads Markdown.
_BLANKS = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\ufeff"
_Span = tuple[int, int]
_TICKS = re.compile(r"`+")
_LINE_ENDS = re.compile(r"\r\n?")
# Links, images, HTML and references are broken by then; tables alone hold no code.
_BLOCKS = MarkdownIt("zero").enable(
    ["code", "fence", "blockquote", "list", "heading", "lheading", "hr"]
)


def break_links(text: str) -> str:
    """Break the links of a text, and Markdown that takes effect elsewhere; it reads the same."""
    return _BREAKS.sub(rf"\g<0>{JOINER}", text)


def citation_mark(index: int) -> str:
    """Return the mark of a citation as it stands in an answer whose links are broken.

    No code contains this mark, so that none becomes a link there.
    """
    return f"[{JOINER}{index}]"


def unbreak_links(text: str) -> str:
    """Return the text as it was before, for a model or for a copy: a citation is ``[1]`` there."""
    return _CITATION.sub(r"[\1]", text).replace(JOINER, "")


class LinkBreaker:
    """Breaks the links of streamed Markdown and holds nothing back."""

    def __init__(self) -> None:
        self._last = ""  # a possible beginning of a link

    def feed(self, text: str) -> str:
        """Return the text with links broken, however the stream is cut."""
        before = len(break_links(self._last))
        shown = break_links(self._last + text)[before:]
        self._last = (self._last + text)[-_BEHIND:]
        return shown


def break_links_outside_code(text: str) -> str:
    """Break the links of a whole answer, and leave its code as it was written.

    Where the page might see code differently from the parser, it is treated as text: then a copy
    holds an invisible character too many, and nothing worse. An open block of code is closed,
    because more text is put below the answer.
    """
    # Stripped later, the blanks that make the first line code would turn it into text.
    text = break_links(_LINE_ENDS.sub("\n", text).strip(_BLANKS))
    tokens: list[Token] = []
    _BLOCKS.block.parse(text, _BLOCKS, {}, tokens)
    lines = text.split("\n")
    code: set[int] = set()
    closing = ""
    for token in tokens:
        if token.type in {"fence", "code_block"} and token.map is not None:
            start, end = token.map
            code.update(range(start, end))
            if token.type == "fence" and token.level == 0 and end >= len(lines):
                closing = _closing(token.markup, lines[start + 1 : end])
    for number in code:
        lines[number] = unbreak_links(lines[number])
    _with_spans(lines, code)
    return "\n".join(lines) + closing


def _closing(fence: str, content: list[str]) -> str:
    """Return what closes a block of code that was left open."""
    last = content[-1].strip(" \t") if content else ""
    is_closed = len(last) >= len(fence) and not last.strip(fence[0])
    return "" if is_closed else f"\n{fence}"


def _with_spans(lines: list[str], code: set[int]) -> None:
    """Restore the spans of code that every reader of Markdown sees alike.

    A span never passes a blank line. So between two blank lines each line has to hold its spans
    whole; otherwise an open one would turn everything after it inside out.
    """
    group: list[tuple[int, list[_Span]]] = []
    is_whole = True
    for number in range(len(lines) + 1):
        is_text = number < len(lines) and number not in code
        if is_text and lines[number].strip(" \t"):
            spans = _spans(lines[number])
            is_whole = is_whole and spans is not None
            group.append((number, spans or []))
            continue
        for member, spans in group if is_whole else ():
            lines[member] = _restored(lines[member], spans)
        group, is_whole = [], True


def _spans(line: str) -> list[_Span] | None:
    """Return the places of code in a line: a run of backticks up to the next of the same length.

    Return None if one is open, or is not a span to every reader: a bar ends the cell of a table and
    the span with it, and after a backslash a backtick may not begin one.
    """
    spans: list[_Span] = []
    opened: re.Match[str] | None = None
    for run in _TICKS.finditer(line):
        if opened is None:
            if line[run.start() - 1 : run.start()] == "\\":
                return None
            opened = run
        elif len(run.group()) == len(opened.group()):
            if "|" in line[opened.end() : run.start()]:
                return None
            spans.append((opened.start(), run.end()))
            opened = None
    return spans if opened is None else None


def _restored(line: str, spans: list[_Span]) -> str:
    parts: list[str] = []
    at = 0
    for start, end in spans:
        parts += line[at:start], unbreak_links(line[start:end])
        at = end
    return "".join(parts) + line[at:]
