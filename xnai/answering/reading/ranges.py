"""Values outside of the ranges that stand beside them: laboratory reports, measurements, limits.

A small model that is asked which values are not normal lists all of them. The program compares each
row's value with its own range, and tells the rows that are outside of it as they stand.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from xnai.answering.citations import words_of
from xnai.answering.reading.lines import NumberedLine, Sheet, of_lines
from xnai.text.labelled_rows import cells_of

_LEAST_ROWS = 3  # with a range
_OUTSIDE = re.compile(
    r"\b(?:out(?:side)?(?: of)? (?:the |their |its |of ){0,2}(?:normal |reference )?"
    r"(?:range|limits?|norm)s?|abnormal|not (?:in |within )?(?:the )?normal|unusual|conspicuous|"
    r"außerhalb|auffällig\w*|nicht (?:in der norm|normal)|abweich\w*|"
    r"hors (?:de |des )?(?:la |l')?(?:norme|limites?|valeurs)|anormal\w*|"
    r"fuera (?:de |del )(?:la |lo )?(?:rango|límites?|normal|referencia)|anormales)\b",
    re.IGNORECASE,
)
_HIGH = re.compile(
    r"\b(?:too high|elevated|above (?:the )?(?:limit|range|normal|reference)|exceed\w*|"
    r"zu hoch|erhöht\w*|überschr\w*|trop (?:élevée?s?|hauts?)|dépass\w*|demasiado alt\w*|"
    r"elevad\w*|superan?)\b",
    re.IGNORECASE,
)
_LOW = re.compile(
    r"\b(?:too low|below (?:the )?(?:limit|range|normal|reference)|zu niedrig|erniedrigt\w*|"
    r"unterschr\w*|trop bas\w*|demasiado baj\w*)\b",
    re.IGNORECASE,
)
_RANGE_LABEL = re.compile(
    r"\b(?:ref(?:erence)?|ranges?|normal|limits?|norm|soll|référence|norme|referencia|rango|"
    r"límites?|permitted|allowed|max)(?![^\W\d_])|referenz|grenz|normwert|sollwert|参考|范围|标准",
    re.IGNORECASE,
)
_VALUE_LABEL = re.compile(
    r"\b(?:results?|values?|measured|found|ergebnisse?|gemessen|résultats?|valeurs?|"
    r"resultados?|valor(?:es)?)(?![^\W\d_])|wert|mesuré|medid|结果|数值",
    re.IGNORECASE,
)
_NUMBER = r"(\d{1,9}(?:[.,]\d{1,6})?)"
_BETWEEN = re.compile(rf"{_NUMBER}\s?(?:[-\u2013\u2014]|to|bis|à|a)\s?{_NUMBER}(?:\s.{{0,20}})?")
_BELOW = re.compile(
    rf"(?:<=?|\u2264|up to|max\.?|at most|below|bis|unter|jusqu'à|hasta)\s?{_NUMBER}"
    r"(?:\s.{0,20})?",
    re.IGNORECASE,
)
_ABOVE = re.compile(
    rf"(?:>=?|\u2265|min\.?|at least|above|from|ab|über|mind\.?|desde)\s?{_NUMBER}(?:\s.{{0,20}})?",
    re.IGNORECASE,
)
_PLAIN = re.compile(rf"[<>]?\s?{_NUMBER}(?:\s?[^\d\s].{{0,12}})?")

Bounds = tuple[Decimal | None, Decimal | None]


def outside_alone(sheet: Sheet, question: str) -> Sheet | None:
    """The rows whose values are outside of their ranges, if they are asked for.

    None where they are not, where a row is named, or where there are too few ranges or no such row.
    """
    high, low = _HIGH.search(question), _LOW.search(question)
    if not (_OUTSIDE.search(question) or high or low):
        return None
    rows = list(_measured(sheet))
    asked = words_of(question)
    names = [words_of(next(iter(cells.values()))) for _, cells, _ in rows]
    if len(rows) < _LEAST_ROWS or any(name and name <= asked for name in names):
        return None
    wanted = {1} if high and not low else {-1} if low and not high else {1, -1}
    found = [line for line, _, side in rows if side in wanted]
    return of_lines(found) if found else None


def _measured(sheet: Sheet) -> Iterator[tuple[NumberedLine, Mapping[str, str], int]]:
    """The rows that have a range: 1 if their value is above it, -1 if below, 0 if inside."""
    for line in sheet.lines:
        cells = cells_of(line.text)
        if cells is None or line.stands_on:
            continue
        bounds = next((b for label, cell in cells.items() if (b := _bounds(label, cell))), None)
        value = _value(cells)
        if bounds is not None and value is not None:
            low, high = bounds
            above, below = high is not None and value > high, low is not None and value < low
            yield line, cells, above - below


def _bounds(label: str, cell: str) -> Bounds | None:
    """The least and the most that a cell permits."""
    if not _RANGE_LABEL.search(label):
        return None
    text = cell.strip()
    if match := _BETWEEN.fullmatch(text):
        return _decimal(match[1]), _decimal(match[2])
    if match := _BELOW.fullmatch(text):
        return None, _decimal(match[1])
    if match := _ABOVE.fullmatch(text):
        return _decimal(match[1]), None
    return None


def _value(cells: Mapping[str, str]) -> Decimal | None:
    for label, cell in cells.items():
        if _VALUE_LABEL.search(label) and not _RANGE_LABEL.search(label):
            match = _PLAIN.fullmatch(cell.strip())
            return _decimal(match[1]) if match else None
    return None


def _decimal(figure: str) -> Decimal:
    return Decimal(figure.replace(",", "."))
