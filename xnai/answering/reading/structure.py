"""What a question says of the structure of a document: a section, a clause, a page, a file.

"What does section 4.2 say" names a line that begins with a number; "which clause is about
insurance" asks for the number of the line that answers.
"""

import re
from collections.abc import Sequence

from xnai.answering.reading.lines import NumberedLine
from xnai.types import PageText

_NUMBER = r"(\d{1,3}(?:\.\d{1,3}){0,4})"
_PART = (
    r"(?:section|clause|article|paragraph|item|chapter|rule|§|art\.?|abschnitt|ziffer|artikel|"
    r"paragraf|absatz|kapitel|punkt|article|clause|chapitre|alinéa|sección|cláusula|artículo|"
    r"capítulo|punto)"
)
_NAMED = re.compile(rf"(?:\b{_PART}|§)\s*(?:no\.?\s*)?\.?{_NUMBER}\b", re.IGNORECASE)
_DOTTED = re.compile(r"(?<![\d.,])(\d{1,3}(?:\.\d{1,3}){1,4})(?!\d|\s?%|[.,]\d)")
_PAGE = re.compile(r"\b(?:page|slide|seite|folie|página|p\.|s\.)\s*(\d{1,4})\b", re.IGNORECASE)
_ORDINALS = (
    "first erste premi primer 1st",
    "second zweite deuxième segund 2nd",
    "third dritte troisième tercer 3rd",
    "fourth vierte quatrième cuart 4th",
    "fifth fünfte cinquième quint 5th",
    "sixth sechste sixième sext 6th",
    "seventh siebte septième séptim 7th",
    "eighth achte huitième octav 8th",
    "ninth neunte neuvième noven 9th",
    "tenth zehnte dixième décim 10th",
)
_ORDINAL_NUMBERS = {word: n for n, words in enumerate(_ORDINALS, 1) for word in words.split()}
_NTH_PAGE = re.compile(
    rf"\b({'|'.join(_ORDINAL_NUMBERS)})\w{{0,4}}\s{{1,3}}"
    r"(?:page|slide|seite|folie|página|diapositive|diapositiva)\b",
    re.IGNORECASE,
)
_WHICH = re.compile(
    r"\b(?:which|what|in which|welche[rsmn]?|quelle?|qué|cuál)\s+"
    r"(section|clause|article|paragraph|item|chapter|rule|page|slide|file|document|"
    r"abschnitt|ziffer|artikel|absatz|kapitel|seite|datei|dokument)\b",
    re.IGNORECASE,
)
_WHERE = re.compile(
    r"\b(?:where (?:in .{1,40}? )?(?:is it |it is |is (?:this|that) |does it |do they )?"
    r"(?:written|stated|said|say|stand|mentioned|regulated|laid down)|"
    r"wo (?:in .{1,40}? )?(?:steht|ist .{1,40}? geregelt)|"
    r"où (?:est-il|est-ce) (?:écrit|dit|prévu)|dónde (?:dice|está escrito|se dice))\b",
    re.IGNORECASE,
)
# Nothing but the name of a section, or what it says.
_SAYS = re.compile(
    r"\W{0,3}(?:(?:and|und|et|y)\W{1,3})?"
    r"(?:(?:what (?:does|do|is in|is|are in|stands in|about)|what's in|tell me|show me|read|quote|"
    r"was (?:steht|regelt|besagt|sagt)(?: in)?|zeig(?:e|en)?|que (?:dit|disent|prévoit)|"
    r"qu'y a-t-il dans|montre|cite|qué (?:dice|dicen|establece|hay en)|muestra)\W{1,3})?"
    r"(?:the |der |die |das |dem |den |l['\u2019]|la |le |el )?"
    rf"(?:{_PART}|§)?\s{{0,3}}(?:no\.?\s{{0,3}})?{_NUMBER}"
    r"(?:\W{1,3}(?:says?|said|about|states?|besagt|sagt|(?:of|in) (?:the|this) \w{1,30}|"
    r"(?:des|der|du|de la|del) \w{1,30})){0,3}\W{0,5}",
    re.IGNORECASE,
)
_LEADING = re.compile(rf"\W{{0,3}}(?:{_PART}\s*)?{_NUMBER}\.?(?=\s|$|:)", re.IGNORECASE)
_PAGES = {"page", "slide", "seite"}
_FILES = {"file", "document", "datei", "dokument"}


def asked_numbers(question: str) -> frozenset[str]:
    """The numbers of sections that a question names: of "clause 7.1" and of "6.2"."""
    return frozenset(_NAMED.findall(question)) | frozenset(_DOTTED.findall(question))


def asks_for_section(question: str) -> bool:
    """Whether a question wants to be told a section that it names, and nothing of it."""
    return bool(asked_numbers(question)) and _SAYS.fullmatch(question.strip()) is not None


def asked_pages(question: str) -> frozenset[int]:
    """The numbers of pages that a question names."""
    nth = (_ORDINAL_NUMBERS[word.casefold()] for word in _NTH_PAGE.findall(question))
    return frozenset(int(number) for number in _PAGE.findall(question)) | frozenset(nth)


def leading_number(line: str) -> str:
    """The number that a line begins with, as sections and clauses do; empty without one."""
    match = _LEADING.match(line)
    return match[1] if match else ""


def without_number(line: str) -> str:
    """A line without the number, or the signs of a heading or an item, that it begins with."""
    match = _LEADING.match(line)
    rest = line[match.end() :] if match else line
    return rest.lstrip("#*-\u2022 \t") or line


def stretches(pages: Sequence[PageText], numbers: frozenset[str]) -> list[tuple[PageText, int]]:
    """Where the sections of those numbers begin: pages, with the offsets in their texts."""
    found = []
    for page in pages:
        at = 0
        for line in page.text.splitlines(keepends=True):
            if leading_number(line) in numbers:
                found.append((page, at))
            at += len(line)
    return found


def asks_for_place(question: str) -> bool:
    """Whether a question wants to know where in a document something stands."""
    return bool(_WHICH.search(question) or _WHERE.search(question))


def with_place(question: str, answer: str, line: NumberedLine) -> str:
    """An answer behind the place that a question asks for, if it does not say it.

    Asked where something is written, a model invents a place: there the line itself is told.
    """
    if not (place := _named_place(question, answer, line)):
        return answer
    asks_where = _WHERE.search(question) and not _WHICH.search(question)
    return f"{place}: {without_number(line.text) if asks_where else answer}"


def _named_place(question: str, answer: str, line: NumberedLine) -> str:
    """The place that a question asks for, if its answer does not say it; empty otherwise.

    Args:
        question: such as "Which clause is about insurance?".
        answer: what the model has answered.
        line: the line it quoted first.

    """
    match = _WHICH.search(question)
    if not match and not _WHERE.search(question):
        return ""
    part = match[1].casefold() if match else ""
    if part in _FILES:
        place = line.source.file_name
    elif part in _PAGES:
        place = "" if line.source.page is None else str(line.source.page)
    else:
        place = leading_number(line.text)
    if not place or re.search(rf"(?<![\d.]){re.escape(place)}(?!\d)", answer):
        return ""
    return f"{part.capitalize()} {place}" if part and part not in _FILES else place
