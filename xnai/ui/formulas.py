r"""Formulas of an answer as the page reads them: between two dollars, which a model seldom writes.

A model writes ``\(x\)`` and ``\[x\]``, which Markdown takes for brackets. A mark of no width before
the dollars, or behind them where a block of its own begins, says what the model wrote; so a copy
and the model itself get that again (``links.unbreak_links``). A single dollar is money, and two
that enclose no formula stay broken: open ones would swallow the rest of the message.
"""

import re

from xnai.ui.links import (
    BLOCK,
    CLOSING_ADDED,
    DISPLAYED,
    INLINE,
    JOINER,
    OPENING_ADDED,
    OWN_DOLLARS,
    unbreak_links,
)

_LONGEST = 2000  # characters of a formula
MOST_LINES = 40  # of a formula
_BLANKS = " \t"
_DOLLARS = rf"\${JOINER}\$"
_WRITTEN = r"((?:[^`$\n\\]|\\[^()\[\]`$\n])++)"  # what no bracket of this kind ends
_IN_LINE = re.compile(
    rf"(?<!\\)\\\({_WRITTEN}\\\)|(?<!\\)\\\[{_WRITTEN}\\\]"
    rf"|(?<![\\${JOINER}]){_DOLLARS}([^`$\n]++){_DOLLARS}(?!{JOINER}?\$)"
)
_OPENING = re.compile(r"([ \t]*+)\\\[(?!\()")
_OWN_LINE = re.compile(rf"([ \t]*+){_DOLLARS}([^`$\n]++){_DOLLARS}[ \t]*+")
_BARE = re.compile(rf"[ \t]*+{_DOLLARS}[ \t]*+")
_NO_FORMULA = re.compile(r"[`$]|~~~")
# In what the page should not take for a formula, these could lead elsewhere.
_LEADING = re.compile(r"[/@]|&[#a-z]|www|\]\(|<[a-z!?]", re.IGNORECASE)


def in_line(text: str, *, has_cells: bool) -> str:
    """Return a piece of one line that holds no code with its formulas between dollars.

    Args:
        text: the piece, its links broken.
        has_cells: it may be of a table, where a bar ends a cell and a formula with it.

    """

    def made(found: re.Match[str]) -> str:
        formula = found[1] or found[2] or found[3]
        if not _is_formula(formula) or (has_cells and "|" in formula):
            return found[0]
        mark = INLINE if found[1] else DISPLAYED if found[2] else ""
        return f"{mark}$${_restored(formula)}$$"

    return _IN_LINE.sub(made, text)


def block(lines: list[str]) -> tuple[int, str]:
    """Return the formula that the first of these lines begins: its number of lines, and its text.

    No line, if it begins none that has its lines for itself.
    """
    first = lines[0]
    if (own := _OWN_LINE.fullmatch(first)) and _is_formula(own[2]):
        mark = BLOCK * (1 + OWN_DOLLARS)
        return 1, f"{own[1]}$${mark}\n{own[1]}{_restored(own[2])}\n{own[1]}$$"
    if _BARE.fullmatch(first):
        return _between_dollars(lines)
    opening = _OPENING.match(first)
    if opening is None:
        return 0, ""
    for count, line in enumerate(lines, 1):
        if not line.startswith(opening[1]):  # a list that holds the formula may have ended
            break
        at = line.find("\\]", opening.end() if count == 1 else 0)
        if at >= 0:
            if line[at + 2 :].strip(_BLANKS):
                break
            body = [*lines[: count - 1], line[:at]]
            body[0] = body[0][opening.end() :]
            text = _between_brackets("\n".join(body), opening[1])
            return (count, text) if text else (0, "")
    return 0, ""


def _between_brackets(formula: str, indent: str) -> str:
    if not _is_formula(formula):
        return ""
    added = 0
    head, line_end, last = formula.rpartition("\n")
    if line_end and last == indent:
        body = f"{head}\n"
    else:
        added, body = CLOSING_ADDED, f"{formula}\n"
    if body.startswith("\n"):
        body = body[1:]
    else:
        added |= OPENING_ADDED
        body = indent + body
    return f"{indent}$${BLOCK * (1 + added)}\n{_restored(body)}{indent}$$"


def _between_dollars(lines: list[str]) -> tuple[int, str]:
    indent = lines[0][: len(lines[0]) - len(lines[0].lstrip(_BLANKS))]
    for number, line in enumerate(lines[1:], 1):
        if not line.startswith(indent):
            break
        if "$" not in line:
            continue
        formula = "\n".join(lines[1:number])
        if not _BARE.fullmatch(line) or not _is_formula(formula):
            break
        ends = (end.replace(JOINER, "") for end in (lines[0], line))
        return number + 1, f"{next(ends)}\n{_restored(formula)}\n{next(ends)}"
    return 0, ""


def _is_formula(text: str) -> bool:
    return bool(text.strip()) and len(text) <= _LONGEST and not _NO_FORMULA.search(text)


def _restored(formula: str) -> str:
    """Return a formula as it was written, unless it could lead elsewhere as text."""
    plain = unbreak_links(formula)
    return formula if _LEADING.search(plain) else plain
