"""Break the links in Markdown that a model wrote, or that was quoted from a document.

A document can make a model write a link or an image whose address carries the conversation away.
The page turns Markdown links and bare addresses into links, and it resolves escapes and character
references first: ``http&colon;//`` is an address to it. So an invisible character is put into every
place where a link could begin, in whatever form it is written. That needs no parsing. Inside code
nothing is a link, and a copy of code must be what the model wrote: ``live_links`` finds the code
while an answer streams, ``whole_answer`` once more when it is whole.
"""

import re

JOINER = "\u2060"  # no width; with it inside, text is neither an address nor Markdown
INLINE, DISPLAYED, BLOCK = "\u2061", "\u2062", "\u2063"  # no width either; see formulas.py
READER = "/reader"  # where the page shows documents; the one place that answers lead to
_CITATION = re.compile(
    rf'\[\[(\d{{1,6}})\]\]\({READER}/[^\s()"]{{1,400}} "(?:[^"\\]|\\.){{0,2000}}"\)'
)


OPENING_ADDED, CLOSING_ADDED, OWN_DOLLARS = 1, 2, 4  # which line ends of a block are not its own
_FORMULA = re.compile(rf"([{INLINE}{DISPLAYED}])\$\$([^$]{{1,4000}})\$\$")
_BLOCK = re.compile(rf"(?m:^)([ \t]*+)\$\$({BLOCK}{{1,5}})\n([^$]{{1,4000}})\$\$")
_INVISIBLE = re.compile(rf"[{JOINER}{INLINE}{DISPLAYED}{BLOCK}]")


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
            r"\$(?=\$)",  # a formula would swallow all that stands behind it; see formulas.py
        )
    )
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
    text = _BLOCK.sub(_block_as_written, _CITATION.sub(r"[\1]", text))
    return _INVISIBLE.sub("", _FORMULA.sub(_formula_as_written, text))


def _formula_as_written(found: re.Match[str]) -> str:
    mark, formula = found.groups()
    return rf"\({formula}\)" if mark == INLINE else rf"\[{formula}\]"


def _block_as_written(found: re.Match[str]) -> str:
    indent, added, formula = found[1], len(found[2]) - 1, found[3]
    if added & (OPENING_ADDED | OWN_DOLLARS):
        formula = formula.removeprefix(indent)
    else:
        formula = f"\n{formula}"
    if added & (CLOSING_ADDED | OWN_DOLLARS):
        formula = formula.removesuffix(indent)[:-1]
    return f"{indent}$${formula}$$" if added & OWN_DOLLARS else rf"{indent}\[{formula}\]"
