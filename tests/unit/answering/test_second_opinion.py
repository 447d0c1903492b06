"""Lines that share a question's words, and figures that stand beside the quoted lines."""

import pytest

from xnai.answering.evidence import NOT_FOUND
from xnai.answering.reading import second_opinion
from xnai.answering.reading.closest import closest_lines
from xnai.answering.reading.lines import make_sheet, of_lines
from xnai.answering.reading.proof import Proof
from xnai.answering.reading.structure import without_number
from xnai.answering.reading.telling import Telling
from xnai.text.number_words import numbers_in_words
from xnai.types import PageText

CONTRACT = (
    "# Maintenance\n"
    "2.1 The Supplier maintains the pumps of Schedule A.\n"
    "2.3 Spare parts are charged separately at list price.\n"
    "3.1 The annual fee is 48,000 euros, payable in four instalments.\n"
    "3.3 The Supplier may raise the annual fee once a year.\n"
    "5 Dogs are not allowed in the museum.\n"
    "6 The well may not be used for drinking water.\n"
    "§ 3 Hunde dürfen nicht in die Halle gebracht werden."
)
COLUMN = (
    "The harbour of Norwick was founded\nin 1781 by fishermen who came from\n"
    "the outer islands. A storm in 1862\ndestroyed forty boats."
)


def sheet(text: str = CONTRACT):
    return make_sheet([PageText("d", "a.pdf", 1, 1, text)])


@pytest.mark.parametrize(
    ("question", "begins"),
    [
        ("May the well be used for drinking water now?", "6 The well"),
        ("Are spare parts charged?", "2.3 Spare"),
        ("May I bring my dog into the museum?", "5 Dogs"),
        ("Darf ich meinen Hund in die Halle mitbringen?", "§ 3 Hunde"),
        ("Puis-je venir avec mon chien dans le hall ?", None),
        ("Who painted the tower?", None),
        ("Wie hoch ist die Gebühr?", None),
        ("", None),
    ],
)
def test_the_line_with_most_of_a_questions_rarer_words(question, begins):
    found = closest_lines(question, sheet().lines)

    if begins is None:
        assert found == []
    else:
        assert found[0].text.startswith(begins)


def test_of_a_list_of_questions_the_answer_is_taken():
    lines = sheet("Do dogs travel free?\nNo, a dog needs a ticket for a child.\nMay I smoke?").lines

    assert closest_lines("Do dogs travel free?", lines)[0].text.startswith("No, a dog")


def test_the_lines_of_a_narrow_column_are_whole_again():
    lines = [line.text for line in sheet(COLUMN).lines]

    assert lines == [" ".join(COLUMN.split())]


@pytest.mark.parametrize("text", ["Name of vessel\nlength", "Monday\nclosed", "Norwick\nin brick"])
def test_short_labels_are_lines_of_their_own(text):
    assert len(sheet(text).lines) == 2


def test_a_figure_of_another_line_has_that_line_cited_too():
    lines = sheet().lines
    proof = Proof(lines[:1], ["What is the fee?"], others=lines)

    assert proof.prove("The annual fee is 48,000 euros.").marks == (1,)
    assert proof.citations[0].quote.startswith("3.1 The annual fee")


@pytest.mark.parametrize("sentence", ["The tower is 48,000 years old.", "It has 7 pumps."])
def test_a_figure_beside_none_of_the_words_proves_nothing(sentence):
    lines = sheet().lines

    assert Proof(lines[:1], ["What?"], others=lines).prove(sentence).marks == ()


def test_who_says_yes_to_a_figure_needs_a_line_that_has_it():
    proof = Proof(sheet().lines[:1], ["Is the fee 50,000 euros?"], others=sheet().lines)

    assert proof.prove("No, it is not 50,000 euros.").marks
    assert proof.prove("Yes, it is 50,000 euros.").marks == ()


def test_a_number_in_words_carries_its_figure():
    lines = sheet().lines

    assert numbers_in_words("four instalments, zwölf Monate") == {"4", "12"}
    assert Proof(lines[3:4], ["In how many?"]).prove("In 4 instalments.").marks == (1,)


def asked(question: str, reply: str) -> Telling:
    telling = Telling(question, sheet())
    list(telling.feed(reply))
    return telling


def test_a_no_that_stands_on_the_wrong_line_is_told_from_the_right_one():
    telling = asked(
        "Are spare parts charged?",
        "Source: [5] 3.3 The Supplier may raise the annual fee once a year.\nAnswer: No, never.",
    )
    assert [line.number for line in telling.looked_at_again()] == [3, 5]

    telling.correct(0.9)

    assert "".join(telling.finish()) == "Yes: Spare parts are charged separately at list price. [1]"
    assert telling.citations[0].quote.startswith("2.3")
    assert telling.outcome == "answered"


@pytest.mark.parametrize(
    ("yes", "said"),
    [
        (0.1, "No: The well may not be used for drinking water. [1]"),
        (0.5, NOT_FOUND),
        (None, NOT_FOUND),
    ],
)
def test_a_refusal_is_looked_at_again_where_a_line_has_the_questions_words(yes, said):
    telling = asked("May the well be used for drinking water now?", "Source: none\nAnswer: This")
    assert [line.number for line in telling.looked_at_again()] == [7]

    telling.correct(yes)

    assert "".join(telling.finish()) == said
    assert telling.outcome == ("answered" if yes == 0.1 else "not_found")


@pytest.mark.parametrize("question", ["Who drinks the water of the well?", "Is there a tower?"])
def test_other_refusals_stay_refusals(question):
    telling = asked(question, "Source: none\nAnswer: This is not in your documents.")

    assert telling.looked_at_again() == ()
    assert "".join(telling.finish()) == NOT_FOUND


@pytest.mark.parametrize(
    ("line", "rest"),
    [
        ("2.3 Spare parts", "Spare parts"),
        ("# Heading", "Heading"),
        ("- item", "item"),
        ("48,000 euros a year", "48,000 euros a year"),
        ("7", "7"),
    ],
)
def test_a_line_without_its_number(line, rest):
    assert without_number(line) == rest


def two_files(first: str, second: str):
    pages = [PageText(f"d{n}", f"{n}.pdf", 1, 1, text) for n, text in enumerate((first, second))]
    return make_sheet(pages).lines


@pytest.mark.parametrize(
    ("question", "second", "yes"),
    [
        ("Do both have the same notice period?", "4.2 With three months' notice.", 0.0),
        ("Do both have the same notice period?", "7.1 With 6 months' notice.", 1.0),
        ("Do they differ in the notice period?", "4.2 With three months' notice.", 1.0),
        ("Haben beide die gleiche Frist?", "4.2 With three months' notice.", 0.0),
        ("Do both have the same notice period?", "4.2 With notice.", None),
        ("Do both have the same notice period?", "From 2025 with six months' notice.", None),
        ("Do both have a notice period?", "4.2 With three months' notice.", None),
    ],
)
def test_what_is_the_same_in_two_files_is_told_by_their_figures(question, second, yes):
    lines = two_files("4.2 With six months' notice.", second)

    assert second_opinion.by_figures(question, lines) == yes


@pytest.mark.parametrize(
    ("question", "yes"),
    [
        ("Was the firm founded in 1924?", 0.0),
        ("Was the firm founded in 1911?", None),
        ("Was the firm renamed in 1924?", None),
        ("Was the firm ever renamed?", None),
        ("Is the rent due in 2026?", None),
    ],
)
def test_a_line_of_another_year_says_no(question, yes):
    line = two_files("The firm was founded in 1911. The firm was renamed in 1924.", "")[0]

    assert second_opinion.by_figures(question, (line,)) == yes


def test_lines_of_several_files_are_told_each_under_its_name():
    question = "Do both have the same notice period?"
    lines = two_files("4.2 With six months' notice.", "4.2 With three months' notice.")
    telling = Telling(question, of_lines(lines))
    list(telling.feed("Source: [1] [2]\nAnswer: Yes, both have six months."))
    assert telling.looked_at_again() == lines

    telling.correct(0.0)

    text = "".join(telling.finish())
    assert text == "No: 0.pdf: With six months' notice.; 1.pdf: With three months' notice. [1] [2]"
