"""Reading whole documents: lines, replies, sums, proof and what is told of them."""

import pytest

from xnai.answering.evidence import HEDGE, NOT_FOUND
from xnai.answering.reading import second_look
from xnai.answering.reading.gather import in_order
from xnai.answering.reading.length import UNBOUNDED, Bounds
from xnai.answering.reading.lines import make_sheet, quoted_lines, quoted_numbers
from xnai.answering.reading.prompt import reading_messages
from xnai.answering.reading.proof import Proof, figures_of
from xnai.answering.reading.reply import ModelReply
from xnai.answering.reading.structure import asked_numbers, asked_pages, with_place
from xnai.answering.reading.sums import worked_out
from xnai.answering.reading.telling import Telling
from xnai.locale import texts_in
from xnai.types import Message, PageText, TokenLogprob

LEASE = (
    "Lease of hall 3\n"
    "4.1 The monthly rent is 4,650 euros, payable on the third working\nday of each month.\n"
    "4.2 The tenant pays a deposit of three rents.\n"
    "| Hall | Load |\n| 3 | 5 t |\n"
)


def page(text, number=1, document="d1", name="lease.pdf", start=0):
    return PageText(document, name, 2, number, text, start)


def sheet(*pages: PageText):
    return make_sheet(pages or [page(LEASE)])


def test_lines_are_numbered_through_under_their_files_and_pages():
    made = sheet(page("One."), page("Two.", 2), page("Three.", 1, "d2", "b.docx"))
    assert made.text.splitlines() == [
        "=== File: lease.pdf (2 pages) ===",
        "--- Page 1 ---",
        "[1] One.",
        "--- Page 2 ---",
        "[2] Two.",
        "=== File: b.docx (2 pages) ===",
        "--- Page 1 ---",
        "[3] Three.",
    ]
    assert made.line(3).source.file_name == "b.docx"
    assert made.line(0) is None is made.line(4)


def test_a_line_that_the_width_of_the_page_has_broken_is_whole():
    lines = [line.text for line in sheet().lines]
    assert (
        "4.1 The monthly rent is 4,650 euros, payable on the third working day of each month."
        in lines
    )
    assert "| Hall | Load |" in lines


@pytest.mark.parametrize(
    "lines",
    [
        (
            "Matratzen werden nicht mehr mit dem Sperrmüll abgeholt, sondern nur noch am",
            "Wertstoffhof angenommen, für acht Euro je Stück.",
        ),
        (
            "The tenant pays the rent of the flat to the account of the",
            "Landlord, who tells its number.",
        ),
        (
            "Der Müll wird am Abfuhrtag abgeholt und das Schadstoffmobil kommt am",
            "15. März und am 20. September.",
        ),
    ],
)
def test_no_line_ends_with_a_small_word(lines: tuple[str, str]):
    made = make_sheet([PageText("d", "a.pdf", 1, None, "\n".join(lines))])
    assert [line.text for line in made.lines] == [" ".join(lines)]


def test_a_citation_of_a_line_quotes_the_text_of_its_page():
    for line in sheet(page("  x\n" + LEASE)).lines:
        cited = line.citation(7)
        assert ("  x\n" + LEASE)[cited.start : cited.end] == cited.quote
        assert " ".join(cited.quote.split()) == line.text


def test_a_stretch_of_a_page_is_cited_by_its_place_on_the_page():
    text = "Before.\nThe end."
    (line,) = sheet(page(text[8:], start=8)).lines
    assert text[line.start : line.end] == "The end."


def test_a_long_line_is_cut_at_its_sentences():
    text = " ".join(f"Sentence number {n} says so." for n in range(60))
    lines = sheet(page(text)).lines
    assert all(len(line.text) <= 340 for line in lines)
    assert " ".join(line.text for line in lines) == text


def test_stretches_that_overlap_become_one_in_the_order_of_their_page():
    late, early = page("cdef", start=2), page("abcd", start=0)
    other = page("zz", document="d2")
    assert [(one.document_id, one.text) for one in in_order([late, other, early])] == [
        ("d1", "abcdef"),
        ("d2", "zz"),
    ]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("[3] a [5] b [3]", [3, 5]), ("[3, 4] x", [3, 4]), ("[2-4]", [2, 3, 4]), ("none", [])],
)
def test_numbers_of_quoted_lines(text, numbers):
    assert quoted_numbers(text) == numbers


def test_a_range_of_numbers_that_is_far_too_long_is_cut():
    assert len(quoted_numbers("[1-99999]")) < 50


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_a_reply_is_split_however_it_comes(size):
    text = "Source: [2] The rent.\nAnswer: It is 4,650 euros.\nThe deposit, too.\nQuestion: Next?"
    reply, shown = ModelReply(), ""
    for at in range(0, len(text), size):
        shown += reply.feed(text[at : at + size])
    shown += reply.finish()
    assert reply.source == "[2] The rent."
    assert shown.strip() == "It is 4,650 euros.\nThe deposit, too."


def test_a_reply_without_a_source_is_all_answer():
    reply = ModelReply()
    assert reply.feed("Answer: Hel") + reply.feed("lo.") + reply.finish() == "Hello."
    reply = ModelReply()
    assert reply.feed("You are very welcome.") + reply.finish() == "You are very welcome."


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("4 + 9 = 14 books", "4 + 9 = 13 books"),
        ("52,500 - 48,000 = 5,500 euros", "52,500 - 48,000 = 4,500 euros"),
        ("75.00 EUR + 37.50 EUR = 110 EUR", "75.00 EUR + 37.50 EUR = 112.50 EUR"),
        ("3 x 4,650 = 1", "3 x 4,650 = 13,950"),
        ("10 - 3 - 2 = 9", "10 - 3 - 2 = 5"),
        ("2 + 3 x 4 = 20", "2 + 3 x 4 = 14"),
        ("7 / 0 = 3", "7 / 0 = 3"),
        ("-5 + 3 = 8", "-5 + 3 = -2"),
        ("2 boxes + 3 boxes = 6 boxes", "2 boxes + 3 boxes = 5 boxes"),
        ("3x4 = 11", "3x4 = 12"),
        ("$10 + $2.50 = $13", "$10 + $2.50 = $12.50"),
        ("10 - 12 = 2", "10 - 12 = -2"),
        ("a = 4", "a = 4"),
    ],
)
def test_sums_are_worked_out_exactly(written, right):
    assert worked_out(written)[0] == right


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("1,250.00 euros", {"1250"}),
        ("on 2025-08-01", {"2025-08-01"}),
        ("4.2", {"4.2"}),
        ("", set()),
    ],
)
def test_figures(text, figures):
    assert figures_of(text) == figures


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.900,00 Euro", "1,900 euros"),
        ("2.387,57", "2,387.57"),
        ("12,60 kg", "12.6 kg"),
        ("1.234.567", "1234567"),
        ("1'250.00 Fr.", "1250"),
    ],
)
def test_a_figure_is_the_same_however_a_language_writes_it(one, other):
    assert figures_of(one) == figures_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.9", "1.09"),
        ("0.125", "125"),
        ("12.01.2026", "1201.2026"),
        ("10:05", "1005"),
        ("3.5", "35"),
    ],
)
def test_other_figures_stay_others(one, other):
    assert figures_of(one) != figures_of(other)


def test_a_sentence_is_cited_by_the_line_that_carries_it():
    lines = sheet().lines
    proof = Proof(lines, ["What is the rent?"])
    assert proof.prove("The deposit is three rents.").marks == (1,)
    assert proof.prove("The monthly rent is 4,650 euros.").marks == (2,)
    assert [citation.quote[:3] for citation in proof.citations] == ["4.2", "4.1"]


def test_a_figure_that_stands_nowhere_proves_nothing():
    proof = Proof(sheet().lines, ["What is the rent?"])
    assert proof.prove("The rent is 4,700 euros.").marks == ()
    assert proof.prove("13,950 euros", frozenset({"13,950"})).marks


def told(reply, question="What is the rent?", none=0.0, logit=None, bounds=UNBOUNDED):
    telling = Telling(question, sheet(), bounds=bounds)
    telling.doubt.probed(logit)
    tokens = [TokenLogprob(" [", b" [", -0.1, (TokenLogprob(" none", b"", none or -9.0),))]
    shown = list(telling.feed("Source:")) + list(telling.feed(reply[:3], tokens))
    for character in reply[3:]:
        shown += telling.feed(character)
    shown += telling.finish()
    return telling, "".join(shown)


def test_an_answer_is_told_with_its_marks():
    telling, text = told(" [2] 4.1 The monthly rent\nAnswer: 4,650 euros.")
    assert (telling.outcome, text) == ("answered", "4,650 euros. [1]")
    assert telling.citations[0].quote.startswith("4.1")


def test_an_invented_figure_becomes_the_quote_of_the_line():
    telling, text = told(" [2] 4.1 rent\nAnswer: It is 9,999 euros. Really.")
    assert telling.outcome == "quoted"
    assert text.startswith(HEDGE)
    assert "9,999" not in text
    assert "4,650 euros" in text


def test_as_many_as_lines_are_quoted_is_counted():
    question = "How many clauses speak of rent?"
    assert told(" [2] [3]\nAnswer: 2 clauses.", question)[0].outcome == "answered"
    assert told(" [2] [3]\nAnswer: 5 clauses.", question)[0].outcome == "quoted"


def test_no_source_is_not_found():
    telling, text = told(" none\nAnswer: This is not in your documents.")
    assert (telling.outcome, text, telling.is_refused) == ("not_found", NOT_FOUND, True)


REFUSALS = [
    "This is not in your documents. The lease has other clauses. It is 4,650 euros.",
    "Das steht nicht in den Dokumenten.",
    "Die Miete ist nicht angegeben.",
    "Ce n'est pas dans vos documents.",
    "Le loyer n'est pas précisé.",
    "No se menciona en el texto.",
    "家賃は記載されていません。",
    "文档中没有提到租金。",
    "الإيجار غير مذكور.",
    "Soweit ich sehe, steht das nicht in Ihren Dokumenten.",
]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_in_any_language_becomes_that_of_the_question(refusal):
    telling = Telling("Wie hoch ist die Miete?", sheet(), texts=texts_in("de"))
    shown = []
    for character in f"Source: [2] 4.1 The monthly rent\nAnswer: {refusal}":
        shown += telling.feed(character)
    shown += telling.finish()
    assert ("".join(shown), telling.outcome) == (texts_in("de").say(NOT_FOUND), "not_found")


@pytest.mark.parametrize("none", ["none", "keine", "aucune", "ninguna", "なし", "无"])
def test_that_no_line_answers_is_understood(none):
    telling = Telling("?", sheet(), texts=texts_in("es"))
    told = [*telling.feed(f"Source: {none}\nAnswer: 4,650 euros."), *telling.finish()]
    assert "".join(told) == texts_in("es").say(NOT_FOUND)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("La mensualité est de 4,650 euros, pas dans les charges.", "pas dans les charges"),
        ("No hay mascotas: 4,650 euros.", "No hay mascotas"),
        ("Nicht 4,651, sondern 4,650 euros.", "sondern"),
    ],
)
def test_a_negation_is_no_refusal(answer, said):
    telling, text = told(f" [2] 4.1 The monthly rent\nAnswer: {answer}")
    assert telling.outcome != "not_found"
    assert said in text or telling.outcome == "quoted"


def test_what_nothing_proves_is_introduced_in_the_language_of_the_question():
    telling = Telling("Miete?", sheet(), texts=texts_in("de"))
    shown = [*telling.feed("Source: [2] rent\nAnswer: 9,999 euros."), *telling.finish()]
    assert "".join(shown).startswith("Keine genaue Antwort gefunden. Am nächsten kommt:\n\n> ")


def test_a_source_that_the_model_doubts_is_quoted_only():
    telling, _ = told(" [2] rent\nAnswer: 4,650 euros.", none=-0.2)
    assert telling.outcome == "quoted"


def test_what_the_probe_does_not_find_is_not_told_whatever_is_quoted():
    telling, text = told(" [2] rent\nAnswer: 4,650 euros. It is due soon.", logit=-4.0)
    assert (telling.outcome, text) == ("not_found", NOT_FOUND)
    assert not telling.citations


def test_what_the_probe_nearly_misses_is_quoted_only():
    telling, text = told(" [2] rent\nAnswer: 4,650 euros.", logit=-1.5)
    assert telling.outcome == "quoted"
    assert "[1]" in text


def test_a_probe_that_is_sure_outweighs_a_model_that_wavers():
    assert told(" [2] rent\nAnswer: 4,650 euros.", none=-0.2, logit=2.0)[0].outcome == "answered"
    assert told(" [2] rent\nAnswer: 4,650 euros.", none=-0.2, logit=0.0)[0].outcome == "quoted"


def test_a_summary_and_small_talk_are_told_whatever_the_probe_says():
    bounds = Bounds(doubts=False)
    assert (
        told(" [2] rent\nAnswer: 4,650 euros.", logit=-4.0, bounds=bounds)[0].outcome == "answered"
    )
    assert told("\nAnswer: Hello.", question="Hello!", logit=-4.0)[0].outcome == "chat"


def test_small_talk_cites_nothing():
    telling = Telling("Hello!", sheet())
    text = "".join([*telling.feed("Answer: Hello. How are you?"), *telling.finish()])
    assert (telling.outcome, text, list(telling.citations)) == ("chat", "Hello. How are you?", [])


def test_marks_stand_behind_a_block_of_code_and_not_in_it():
    code = "```\nx = grid[0][1]\n```"
    _, text = told(f" [2] 4.1 rent\nAnswer: 4,650 euros.\n{code}\nIt is 4,650 euros.")
    assert text == f"4,650 euros. [1]\n{code}\n\n[?]\n\nIt is 4,650 euros. [1]"


def test_code_that_nothing_proves_does_not_come_first():
    telling, text = told(" [2] 4.1 rent\nAnswer: ```\nx = 1\n```")
    assert (telling.outcome, "x = 1" in text) == ("quoted", False)


def test_yes_is_held_until_it_was_looked_at_again():
    telling = Telling("Is the rent due at once?", sheet())
    shown = list(telling.feed("Source: [2] rent\nAnswer: Yes, at once. It is."))
    assert shown == []
    assert [line.number for line in telling.looked_at_again()] == [2]
    telling.correct(0.1)
    assert "".join(telling.finish()) == "No. [1]"


@pytest.mark.parametrize(
    ("answer", "yes", "corrected"),
    [
        ("Yes, at nine.", 0.05, "No."),
        ("Yes, at nine.", 0.6, "Yes, at nine."),
        ("No.", 0.9, "Yes."),
        ("Nein, erst um zehn.", 0.9, "Ja."),
        ("At nine.", 0.05, "At nine."),
        ("Yes.", None, "Yes."),
    ],
)
def test_the_second_look_is_believed_where_it_is_sure(answer, yes, corrected):
    assert second_look.corrected(answer, yes, "Is it open?") == corrected


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("ok to plug it in with an extension cord?", ("Yes", "No")),
        ("and can he hand it in by e-mail?", ("Yes", "No")),
        ("Und dürfen wir eine Katze halten?", ("Ja", "Nein")),
        ("Any chance of a refund?", ("Yes", "No")),
        ("any news on the pump?", None),
        ("and the dust sheets?", None),
        ("okay, what does it cost?", None),
    ],
)
def test_yes_or_no_is_asked_for_in_the_way_people_do(question, words):
    assert second_look.words_for(question) == words


def test_what_a_question_names():
    assert asked_numbers("What does clause 7.1 say, and 6.2?") == {"7.1", "6.2"}
    assert asked_numbers("Is 4.5 % right?") == set()
    assert asked_pages("What is on page 12?") == {12}


def test_the_place_that_was_asked_for_is_named():
    line = sheet().lines[2]
    said = "Three rents."
    asked = "Which clause is about the deposit?"
    assert with_place(asked, said, line) == "Clause 4.2: Three rents."
    assert with_place(asked, "Clause 4.2.", line) == "Clause 4.2."
    assert with_place("Which file is it in?", said, line) == "lease.pdf: Three rents."
    assert with_place("What is the deposit?", said, line) == said
    where = "Where is it written how high the deposit is?"
    assert with_place(where, "On page 8.", line) == f"4.2: {line.text.removeprefix('4.2 ')}"


def test_the_prompt_begins_the_same_for_every_question_and_document():
    history = (Message("user", "Hi"), Message("assistant", "Hello."))
    one = reading_messages("[1] a", (), "Q?")
    two = reading_messages("[1] a", history, "Q?")
    assert one[:-1] == two[: len(one) - 1]
    assert "[1] a" in two[len(one) - 1].content
    assert two[-1] == Message("user", "Question: Q?")


def test_a_spanish_no_stays_one():
    assert second_look.corrected("No.", 0.9, "¿Se puede entrar con perros?") == "No."


def test_a_quote_that_goes_on_over_the_end_of_a_line_names_the_next_one_too():
    text = (
        "(1) Die Miete beträgt 742,00 Euro.\n(2) Der Rest beträgt auf die übrigen\nKosten 118 Euro."
    )
    made = sheet(page(text))
    both = quoted_lines("[2] (2) Der Rest beträgt auf die übrigen Kosten 118 Euro.", made)
    assert [line.number for line in both] == [2, 3]
    one = quoted_lines("[2] (2) Der Rest beträgt auf die übrigen", made)
    assert [line.number for line in one] == [2]


def test_a_figure_right_behind_a_quoted_line_is_proven_by_its_line_and_one_far_off_is_not():
    text = "The rest is\nKosten 118 Euro.\nNothing else.\nOf 560 there is no word."
    lines = sheet(page(text)).lines
    near = Proof(lines[:1], ["How much?"], others=lines).prove("That makes 118.")
    assert near.marks
    assert 2 in [line.number for line in near.lines]
    assert not Proof(lines[:1], ["How much?"], others=lines).prove("That makes 560.").marks


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("Beginn: 01.04.2025", "It begins on 1 April 2025."),
        ("Due 2025-06-09", "Am 9. Juni 2025."),
        ("The agreement begins on 1 April 2025.", "2025年4月1日开始。"),
        ("十楼以上的住户可领取300元", "From the 10th floor on they get 300."),
    ],
)
def test_a_date_is_proven_in_any_notation(line, sentence):
    lines = sheet(page(line)).lines
    assert Proof(lines, ["When?"], others=lines).prove(sentence).marks


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("Beginn: 01.04.2025", "It begins on 2 April 2025."),
        ("Version 1.4.2025.7 is out", "It begins on 4 May 2025."),
        ("The agreement begins on 1 April 2025.", "2025年5月1日开始。"),
    ],
)
def test_another_date_is_not(line, sentence):
    lines = sheet(page(line)).lines
    assert not Proof(lines, ["When?"], others=lines).prove(sentence).marks
