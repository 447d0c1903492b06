"""Boxes to tick that are written as text: "[ ] yes [x] no"."""

import re

_BOX = r"(?:\[[ xX\u2713\u2714]?\]|[\u2610-\u2612])"
_RUN = re.compile(rf"(?:{_BOX}\s?[^\W\d_]{{1,24}}[ ,;/]{{0,3}}){{2,8}}")
_ITEM = re.compile(rf"({_BOX})\s?([^\W\d_]{{1,24}})")
_EMPTY = {"[]", "[ ]", "\u2610"}


def ticks_in_words(text: str) -> str:
    """Say which of several boxes is ticked: "no (not yes)".

    A small model reads the first word behind the boxes. Runs in which all boxes are ticked, or
    none is, stay as they are.
    """
    return _RUN.sub(_said, text) if "[" in text or "\u2610" in text else text


def _said(run: re.Match[str]) -> str:
    items = [(box not in _EMPTY, word) for box, word in _ITEM.findall(run[0])]
    ticked = [word for is_on, word in items if is_on]
    others = [word for is_on, word in items if not is_on]
    if not ticked or not others:
        return run[0]
    rest = run[0][len(run[0].rstrip(" ,;/")) :]
    return f"{', '.join(ticked)} (not {', '.join(others)}){rest}"
