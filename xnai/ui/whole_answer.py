"""A whole answer as the page shows it: links broken, code as it was written, formulas as formulas.

The page and the parser here must see the same code. Where they might not, a piece is treated as
text: then code holds an invisible character too many, and nothing worse.
"""

import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

from xnai.ui import formulas
from xnai.ui.links import break_links, unbreak_links

# Blanks that the page, or Python, strips before it reads Markdown.
BLANKS = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\ufeff"
_Span = tuple[int, int]
_TICKS = re.compile(r"`+")
_LINE_ENDS = re.compile(r"\r\n?")
# The line below the head of a table; other lines may look so too.
BELOW_HEAD = re.compile(r"[-|:>*+\s\d.)]*")
# Links, images, HTML and references are broken by then; tables alone hold no code.
BLOCKS = MarkdownIt("zero").enable(
    ["code", "fence", "blockquote", "list", "heading", "lheading", "hr"]
)


def break_links_outside_code(text: str) -> str:
    """Break the links of a whole answer, and leave its code as it was written.

    An open block of code is closed, because more text is put below the answer.
    """
    # Stripped later, the blanks that make the first line code would turn it into text.
    text = break_links(_LINE_ENDS.sub("\n", text).strip(BLANKS))
    tokens: list[Token] = []
    BLOCKS.block.parse(text, BLOCKS, {}, tokens)
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
    return "\n".join(_with_spans(lines, code)) + closing


def _closing(fence: str, content: list[str]) -> str:
    """Return what closes a block of code that was left open."""
    last = content[-1].strip(" \t") if content else ""
    is_closed = len(last) >= len(fence) and not last.strip(fence[0])
    return "" if is_closed else f"\n{fence}"


def _with_spans(lines: list[str], code: set[int]) -> list[str]:
    """Restore the spans of code that every reader of Markdown sees alike, and make formulas.

    A span never passes a blank line. So between two blank lines each line has to hold its spans
    whole; otherwise an open one would turn everything after it inside out.
    """
    shown: list[str] = []
    group: list[str] = []
    for number in range(len(lines) + 1):
        is_text = number < len(lines) and number not in code
        if is_text and lines[number].strip(" \t"):
            group.append(lines[number])
            continue
        shown += _group(group)
        group = []
        if number < len(lines):
            shown.append(lines[number])
    return shown


def _group(lines: list[str]) -> list[str]:
    """Return the lines of text that stand between two blank ones, or at code."""
    has_cells = any(map(is_below_head, lines))
    spans = [_spans(line, has_cells=has_cells) for line in lines]
    shown: list[str] = []
    number = 0
    if None in spans:
        return lines
    while number < len(lines):
        count, block = formulas.block(lines[number : number + formulas.MOST_LINES])
        if not count:
            count, block = 1, _restored(lines[number], spans[number] or [], has_cells=has_cells)
        shown.append(block)
        number += count
    return shown


def is_below_head(line: str) -> bool:
    """Return whether a line may be the one that makes a table of the line above it."""
    return "-" in line and BELOW_HEAD.fullmatch(line) is not None


def _spans(line: str, *, has_cells: bool) -> list[_Span] | None:
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
            if has_cells and "|" in line[opened.end() : run.start()]:
                return None
            spans.append((opened.start(), run.end()))
            opened = None
    return spans if opened is None else None


def _restored(line: str, spans: list[_Span], *, has_cells: bool) -> str:
    parts: list[str] = []
    at = 0
    for start, end in spans:
        parts += (
            formulas.in_line(line[at:start], has_cells=has_cells),
            unbreak_links(line[start:end]),
        )
        at = end
    return "".join(parts) + formulas.in_line(line[at:], has_cells=has_cells)
