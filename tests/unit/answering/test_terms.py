"""The end of what has a first day and a length."""

import pytest

from xnai.answering.reading.lines import Sheet, carrying, make_sheet
from xnai.answering.reading.terms import end_alone
from xnai.types import PageText

AGREEMENT = (
    "Maintenance Agreement",
    "4.1 The agreement begins on 1 April 2025 and runs for three years.",
    "4.2 Either party may terminate by six months' notice to the end of a quarter.",
)
LEASE = (
    "Mietvertrag",
    "Mietbeginn: 1. Mai 2024",
    "Mietdauer: 24 Monate",
    "Kündigungsfrist: drei Monate",
)
TWO = (
    "The warranty starts on 1 May 2024 and runs for two years.",
    "The lease begins on 3 June 2024 for 12 months.",
    "The insurance begins on 1 July 2024 for 6 months.",
)


def sheet(*lines: str) -> Sheet:
    return make_sheet([PageText("d", "a.pdf", 1, None, "\n\n".join(lines))])


@pytest.mark.parametrize(
    ("lines", "question", "end"),
    [
        (AGREEMENT, "When does the agreement end?", "31 March 2028"),
        (AGREEMENT, "Until when does it run?", "31 March 2028"),
        (LEASE, "Wann endet der Mietvertrag?", "30. April 2026"),
        (TWO, "When does the lease end?", "2 June 2025"),
        (("合同自2025年4月1日起期限三年。",), "合同什么时候结束", "2028年3月31日"),
    ],
)
def test_the_end_follows_from_the_first_day_and_the_length(
    lines: tuple[str, ...], question: str, end: str
) -> None:
    found = end_alone(sheet(*lines), question)
    assert found is not None
    assert end in found.text
    assert found.lines[0].shown.startswith(f"{end} (")


def test_it_stands_on_the_lines_that_have_the_two() -> None:
    found = end_alone(sheet(*LEASE), "Wann endet der Mietvertrag?")
    assert found is not None
    assert [line.text for line in carrying([found.lines[0]], found)] == list(LEASE[1:3])


@pytest.mark.parametrize(
    ("lines", "question"),
    [
        (AGREEMENT, "When does the agreement begin?"),
        (AGREEMENT, "How does the agreement end?"),
        (AGREEMENT, "When does the lunch break end?"),
        ((*AGREEMENT, "It ends on 1 May 2026."), "When does the agreement end?"),
        (TWO[1:], "When does it end?"),  # which of the two?
        (
            ("Staff", "Ms Moss: from 3 June 2024", "She was abroad for two years."),
            "When does it end?",
        ),
        (("Sale", "From 3 June 2024 with a warranty of two years."), "When does it end?"),
    ],
)
def test_nothing_is_worked_out_where_it_does_not_follow(
    lines: tuple[str, ...], question: str
) -> None:
    assert end_alone(sheet(*lines), question) is None
