"""Sums that the model has written out, worked out by the program.

A model copies the terms right and adds them up wrong; what it writes behind the sign of equality
is taken out, and the exact result put in.
"""

import re
from decimal import Decimal, InvalidOperation

# Each part is atomic and begins at one place only: a text of many terms is read once.
_UNSIGNED = r"(?>\d{1,3}(?:[,'\u00a0\u202f ]\d{3}){1,6}(?!\d)|\d+)(?:\.\d+)?"
_NUMBER = rf"(?<![\d.,])[-\u2212]?{_UNSIGNED}"
# "4 books", "75.00 EUR", but not the sign in "3 x 4".
_UNIT = r"(?>(?:(?!\s?x\s?[$€£]?\d)[^\d\n=+*/\u00d7\u00f7\u2212\-.;:]){0,16})"
_OPERATOR = r"\s?[+\-\u2212*x\u00d7/\u00f7]\s?[$€£]?"
_SUM = re.compile(
    rf"(?P<left>{_NUMBER}{_UNIT}(?>(?:{_OPERATOR}{_UNSIGNED}{_UNIT}){{1,60}}))"
    rf"=\s?[$€£]?(?P<result>[-\u2212]?{_UNSIGNED})"
)
_TERM = re.compile(rf"(?P<sign>(?:^|[+\-\u2212*x\u00d7/\u00f7])\s?)[$€£]?(?P<number>{_UNSIGNED})")
_LONGEST = 2000  # characters of a calculation


def worked_out(text: str) -> tuple[str, frozenset[str]]:
    """Put the exact results into the calculations of a text.

    Returns:
        The text, and the results as they are written there.

    """
    results: set[str] = set()

    def exact(match: re.Match[str]) -> str:
        value = _value(match["left"]) if len(match[0]) <= _LONGEST else None
        if value is None:
            return match[0]
        shown = _like(value, match["left"])
        results.add(shown)
        begin = match.start("result") - match.start()
        return match[0][:begin] + shown

    return _SUM.sub(exact, text), frozenset(results)


def terms(text: str) -> int:
    """How many terms the longest calculation of a text has."""
    found = (len(_TERM.findall(match["left"])) for match in _SUM.finditer(text[:_LONGEST]))
    return max(found, default=0)


def _value(left: str) -> Decimal | None:
    """The value of a chain of terms: products first, then sums."""
    total, product = Decimal(0), None
    try:
        for term in _TERM.finditer(left):
            number = Decimal(re.sub(r"[,'\u00a0\u202f ]", "", term["number"]))
            sign = term["sign"].strip().replace("\u2212", "-")
            if product is None:
                product = -number if sign == "-" else number
            elif sign in {"*", "x", "\u00d7"}:
                product *= number
            elif sign in {"/", "\u00f7"}:
                product /= number
            else:
                total += product
                product = -number if sign == "-" else number
    except (InvalidOperation, ZeroDivisionError):
        return None
    return None if product is None else total + product


def _like(value: Decimal, terms: str) -> str:
    """A value written as its terms are: with their separators and as many decimals."""
    decimals = max((len(d) for d in re.findall(r"\d\.(\d+)", terms)), default=0)
    exact = value.quantize(Decimal(1).scaleb(-decimals)) if decimals else value
    if not decimals and exact == exact.to_integral_value():
        exact = exact.quantize(Decimal(1))
    elif not decimals:
        exact = exact.quantize(Decimal("0.01")).normalize()
    return f"{exact:,f}" if re.search(r"\d,\d{3}", terms) else f"{exact:f}"
