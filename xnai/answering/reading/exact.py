"""Figures of an answer, put right where the program knows them."""

import re
from collections.abc import Iterable, Sequence

from xnai.answering.reading.lines import NumberedLine
from xnai.answering.reading.proof import figures_of
from xnai.text.labelled_rows import cells_of

_TIME = re.compile(r"(?<![\d:.])([01]?\d|2[0-3])\s?[:.h]\s?([0-5]\d)(?!\d|[:.]\d)")
_LAST = re.compile(
    r"\b(?:last|latest|derni[eè]re?s?|letzte\w?|späteste\w?|últim[oa]|ultim[oa]|последн\w{1,3})\b|"
    r"最后|末班|最終",
    re.IGNORECASE,
)
_FIRST = re.compile(
    r"\b(?:first|earliest|premi[eè]re?s?|erste\w?|früheste\w?|primer[ao]?|prim[ao]|перв\w{1,3})\b|"
    r"最早|首班|始発",
    re.IGNORECASE,
)
_SEVERAL = 2


def as_known(
    body: str,
    question: str,
    quoted: Sequence[NumberedLine],
    results: Sequence[NumberedLine],
    computed: Iterable[str] = (),
) -> str:
    """A sentence with the figures that the program knows in place of others.

    Args:
        body: what the model says.
        question: what was asked.
        quoted: the lines that it has named.
        results: what the program has worked out and the model quotes.
        computed: figures that were worked out of what it says.

    """
    return _as_first_or_last(_as_worked_out(body, results, [question, *computed]), question, quoted)


def _as_worked_out(body: str, results: Sequence[NumberedLine], known: Iterable[str]) -> str:
    """A sentence, or the program's result where a model quotes it and answers another figure.

    It takes the number of the line for the result, or a cell of the first row. Figures of the
    question, and of what was worked out from the result, are ``known``.
    """
    right = figures_of(" ".join([*(line.text for line in results), *known]))
    if not results or figures_of(body) <= right:
        return body
    return results[0].shown or results[0].text


def _as_first_or_last(body: str, question: str, quoted: Sequence[NumberedLine]) -> str:
    """A sentence with the first or the last time of a row, if that is asked for.

    Asked for the last train, a small model that has the right row before it takes any of its times.
    """
    last, first = _LAST.search(question), _FIRST.search(question)
    said = list(_TIME.finditer(body))
    if bool(last) == bool(first) or len(quoted) != 1 or len(said) != 1:
        return body
    cells = (cells_of(quoted[0].text) or {}).values()
    times = {
        _minutes(match): cell.strip() for cell in cells if (match := _TIME.fullmatch(cell.strip()))
    }
    if len(times) < _SEVERAL or _minutes(said[0]) not in times:
        return body
    right = times[(max if last else min)(times)]
    return body[: said[0].start()] + right + body[said[0].end() :]


def _minutes(match: re.Match[str]) -> int:
    return 60 * int(match[1]) + int(match[2])
