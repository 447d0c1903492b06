"""Every pattern of the package is linear: four times the text takes four times the work."""

import re

import pytest
from growth import FOUR_TIMES, growth, seconds
from hostile_text import families
from pattern_finder import Used, found

from xnai.answering.entity_patterns import _KINDS
from xnai.llm.build.log import _CAUSES

pytestmark = pytest.mark.timeout(300)  # by processor time, which load makes rare

LENGTH = 4000  # characters; at a billionth of a second for each pair of them, well above the floor
GLANCE = 600  # characters that all texts have, of which the worst are looked at
WORST = 3

# The patterns that are made at run time, with some that are.
MADE = {
    "xnai.llm.build.log: re.search(pattern)": [pattern for pattern, *_ in _CAUSES],
    r"xnai.llm.worker.chat_template: re.split(f'(\ue000{nonce}[0-9a-f]+\ue001)')": [
        "(\ue000a1b2[0-9a-f]+\ue001)"
    ],
    "xnai.llm.worker.chat_template: re.compile('|'.join(map(re.escape, spellings)))": [
        r"<\|im_start\|>|<\|im_end\|>|<s>|</s>"
    ],
    "xnai.models.wanted: re.search(f'(?i)(^|[-._/]){words}([-._/]|$)')": [
        r"(?i)(^|[-._/])Q4_K_M([-._/]|$)"
    ],
    "xnai.answering.entity_patterns: re.search(asked)": [
        rf"(?i)\b(?:all|every|each)\b(?:\s+of)?(?:\s+the)?\s+(?:{words})\b" for words in _KINDS
    ],
    r"xnai.observability.logs: re.compile(f'(?<![\\w-])(?:{words})(?![\\w-])')": [
        r"(?<![\w-])(?:first\-key\-of\-all|hunter2hunter2)(?![\w-])"
    ],
    r"xnai.answering.reading.structure: re.search(f'(?<![\\d.]){re.escape(place)}(?!\\d)')": [
        r"(?<![\d.])7\.1(?!\d)"
    ],
    r"xnai.answering.tables.query: re.search(f'(?<![\\w.,]){re.escape(word)}(?![\\w]|[.,]\\d)')": [
        r"(?<![\w.,])St\.\ Mary(?![\w]|[.,]\d)"
    ],
    "xnai.ui.history.former_citations: re.compile('|'.join((re.escape(name) for name in made)))": [
        "\\[\u20601\\]|\\[\u206012\\]"
    ],
    "xnai.evaluation.verdicts: re.search(left + re.escape(wanted) + right)": [
        r"(?<!\d)(?<!\d[.,:/-])48,000(?!\d)(?![:/-]\d)(?![.,](?!0{1,2}(?!\d))\d)"
    ],
    "xnai.answering.entity_patterns: re.compile(form)": [f"(?i){form}" for form in _KINDS.values()],
}


def scan(pattern, text):
    for _ in pattern.finditer(text):
        pass


ANYWHERE = (scan, re.Pattern.fullmatch)
AT_ONE_PLACE = (re.Pattern.match, re.Pattern.fullmatch)

KNOWN, UNKNOWN = found(MADE)
# What was found slow before, and must be found again.
SLOW = (
    (rb"\d+\s+\d+\s+obj\b", False),
    (r"[^\w\s]*\d[\d.,:/\s]*\W*\w{0,3}\W*", True),
    (r"!\[([^\]\n]*)\]\((?:data:[^)\n]*|\w*\.jpg)\)", False),
    (r"//\S*@|\?\S*", False),
    (r"(?:\w+\.)*\w+(?:Error|Exception|Exit|Interrupt)\b", False),
    (r"(?:Picture|Grafik)\W*[\d;\w]*", True),
    (r"\s+$", False),
    (r"(?:a+)+b", True),
    (r"<!--.*?-->", False),
)


def worst(used):
    """The highest growth that a pattern shows, and on what."""
    methods = AT_ONE_PLACE if used.anchored else ANYWHERE
    is_bytes = isinstance(used.pattern.pattern, bytes)

    def made(head, pump, end, length):
        text = head + pump * (length // len(pump)) + end
        return text.encode("utf-8") if is_bytes else text

    highest = (0.0, None)
    for method in methods:
        times = []
        for family in families(used.pattern):
            spent = seconds(method, used.pattern, made(*family, GLANCE))
            if spent == float("inf"):
                return spent, (method.__name__, family)
            times.append((spent, family))
        for _, family in sorted(times, reverse=True)[:WORST]:
            ratio = growth(
                lambda text, method=method: method(used.pattern, text),
                lambda length, family=family: made(*family, length),
                LENGTH,
            )
            highest = max(highest, (ratio, (method.__name__, family)), key=lambda one: one[0])
            if ratio > FOUR_TIMES:
                return highest
    return highest


@pytest.mark.parametrize("used", KNOWN, ids=lambda used: used.where)
def test_a_pattern_is_linear(used):
    ratio, example = worst(used)
    assert ratio <= FOUR_TIMES, f"{used.pattern.pattern!r}: {ratio:.1f} times on {example}"


def test_what_a_pattern_is_made_of_at_run_time_is_known_too():
    assert set(UNKNOWN) == set(MADE)


@pytest.mark.parametrize(("pattern", "anchored"), SLOW)
def test_a_pattern_that_is_not_linear_is_found(pattern, anchored):
    assert worst(Used("", re.compile(pattern, re.DOTALL), anchored))[0] > FOUR_TIMES
