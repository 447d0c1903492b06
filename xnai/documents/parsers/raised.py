"""Raised figures: powers keep their place, so that ten to the third is not 103."""

import re

_FIGURES = str.maketrans("0123456789+-\u2212n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻ⁿ")
_POWER = re.compile(r"[+\-\u2212]?\d{1,3}[+\-\u2212]?|[+\-\u2212]|n")


def power(text: str, before: str) -> str:
    """Raised text as it is shown, if it is a figure behind another; else as it is."""
    is_power = before[-1:].isdigit() and _POWER.fullmatch(text)
    return text.translate(_FIGURES) if is_power else text
