"""Figures of an answer, put right where the program knows them."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

from xnai.answering.reading.clauses import of_named_clause
from xnai.answering.reading.lines import NumberedLine
from xnai.answering.reading.proof import figures_of
from xnai.answering.reading.structure import without_number
from xnai.answering.reading.sums import worked_out
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
_MONEY = re.compile(r"[€£$¥]")
_SEVERAL = 2
_MOST_TERMS = 4
_TOGETHER = re.compile(
    r"\b(?:together|altogether|in total|total of|in all|sum of|combined|zusammen|insgesamt|"
    r"ensemble|au total|en tout|junt[oa]s|en total|in totale|insieme)\b|вместе|всего|一共|合计|"
    r"总共",
    re.IGNORECASE,
)
_APART = re.compile(
    r"\b(?:differ\w*|cheaper|dearer|(?:more|less) (?:expensive|costly)|"
    r"how much (?:more|less|higher|lower)|unterschied\w*|differenz|billiger|teurer|günstiger|"
    r"wie ?viel (?:mehr|weniger|höher)|"
    r"différence|moins cher|plus cher|diferencia|más (?:barat|car)[oa]|cuánto más)\b",
    re.IGNORECASE,
)
_RECKONED = (("+", _TOGETHER), ("-", _APART))
_FIGURE = r"(\d{1,3}(?:,\d{3}){1,3}(?:\.\d{1,2})?|\d{1,9}(?:\.\d{1,2})?)"
_AMOUNT = re.compile(
    rf"([€£$])\s?{_FIGURE}(?![\d,])|(?<![\d.,])"
    rf"{_FIGURE}\s?(euros?|eur|pounds?|gbp|dollars?|usd|francs?|chf|€|£)(?![\w])",
    re.IGNORECASE,
)


def as_known(
    body: str,
    question: str,
    quoted: Sequence[NumberedLine],
    results: Sequence[NumberedLine],
    computed: frozenset[str] = frozenset(),
) -> tuple[str, frozenset[str]]:
    """A sentence with the figures that the program knows in place of others; and what it computed.

    Args:
        body: what the model says.
        question: what was asked.
        quoted: the lines that it has named.
        results: what the program has worked out and the model quotes.
        computed: figures that were worked out of what it says.

    """
    body = _as_worked_out(body, results, [question, *computed])
    body = _as_first_or_last(body, question, quoted)
    body = _in_their_money(of_named_clause(body, question, quoted), quoted)
    body, reckoned = _as_reckoned(body, question, quoted)
    return body, computed | reckoned


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


def _in_their_money(body: str, quoted: Sequence[NumberedLine]) -> str:
    """A sentence with the sign of money that its lines have.

    Asked in German for an English rent, a small model tells the pounds as euros.
    """
    said = set(_MONEY.findall(body))
    there = set(_MONEY.findall(" ".join(line.text for line in quoted)))
    if len(said) != 1 or len(there) != 1 or said == there:
        return body
    return body.replace(said.pop(), there.pop())


def _as_reckoned(
    body: str, question: str, quoted: Sequence[NumberedLine]
) -> tuple[str, frozenset[str]]:
    """The sum or the difference of the amounts on quoted lines, if it is asked for.

    A small model that has quoted both the rent and the service charge says that they are together,
    and of two prices it tells the difference with no word of where it is from.
    """
    found = [one for line in quoted if (one := _AMOUNT.findall(without_number(line.text)))]
    signs = [sign for sign, asks in _RECKONED if asks.search(question)]
    most = 2 if signs == ["-"] else _MOST_TERMS
    is_clear = all(len(one) == 1 for one in found) and len({_unit(one[0]) for one in found}) == 1
    if len(signs) != 1 or not is_clear or not 1 < len(found) <= most or "=" in body:
        return body, frozenset()
    written = [one[0][1] or one[0][2] for one in found]
    if signs == ["-"]:
        written.sort(key=lambda figure: -Decimal(figure.replace(",", "")))
    shown, results = worked_out(f"{f' {signs[0]} '.join(written)} = 0")
    said, known = figures_of(body), figures_of(" ".join([*results, question, *written]))
    if figures_of(" ".join(results)) & said and said <= known:
        return body, results
    before, *_, after = found[0][0]
    return f"{before}{shown}{f' {after}' if after else ''}.", results


def _unit(amount: tuple[str, ...]) -> str:
    return (amount[0] or amount[3]).casefold().rstrip("s")


def _minutes(match: re.Match[str]) -> int:
    return 60 * int(match[1]) + int(match[2])
