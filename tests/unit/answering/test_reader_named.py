"""What a question names, what is not there, and how long an answer is: over the whole pipeline."""

import pytest
from fakes import ReplyModel, ShelfLibrary

from xnai.answering.events import Question, Token
from xnai.answering.evidence import NOT_FOUND
from xnai.answering.pipeline import Pipeline
from xnai.types import Passage, Scope

REFUSAL = "Source: none\nAnswer: This is not in your documents."


def passage(text: str, page: int | None = 1, name: str = "lease.pdf"):
    return Passage("d1", name, page, 0, len(text), text, 0.9)


def question(text: str) -> Question:
    return Question(text, "r1", "u1", scope=Scope("thread:1"))


async def answer(model, shelf, asked):
    return [event async for event in Pipeline(ShelfLibrary(shelf), model).answer(asked)]


def text_of(events) -> str:
    return "".join(event.text for event in events if isinstance(event, Token))


def prompt(completion) -> str:
    return completion.messages[-1].content


WORKS = "\n".join(
    f"Company: {name} Works {number}; Staff: {number + 10}; From: {number} May."
    for number in range(1, 10)
    for name in ("Holm", "Sund")
)
REGISTER = passage(f"Register\n\n{WORKS}", name="register.pdf")


async def test_of_a_long_table_the_rows_that_a_question_names_are_told():
    model = ReplyModel(replies=["Source: [2]\nAnswer: From 4 May."])

    events = await answer(model, [REGISTER], question("When does it begin at Sund Works 4?"))

    lines = prompt(model.asked[0]).split("\n\nQuestion:")[0].splitlines()
    assert lines[-1] == "[2] Company: Sund Works 4; Staff: 14; From: 4 May."
    assert sum("Company" in line for line in lines) == 1
    assert text_of(events) == "From 4 May. [1]"
    assert events[-1].citations[0].quote.startswith("Company: Sund Works 4;")


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        ("When does it begin?", 18),
        ("When does it begin at Fjell Works 4?", 18),
        ("Which other works begin as Sund Works 4 does?", 19),
    ],
)
async def test_where_no_row_or_more_than_one_is_asked_for_all_are_told(asked, rows):
    model = ReplyModel(replies=["Source: none\nAnswer: This is not in your documents."])

    await answer(model, [REGISTER], question(asked))

    assert prompt(model.asked[0]).count("Company:") == rows


@pytest.mark.parametrize(
    ("name", "asked"), [("Sund Works 50", 1), ("Fjell Works 4", 2), ("Sund Works 4", 3)]
)
async def test_a_name_whose_words_stand_nowhere_together_is_not_in_the_documents(name, asked):
    replies = [f"SELECT staff FROM t WHERE company = '{name}'", REFUSAL, REFUSAL]
    model = ReplyModel(replies=replies)
    shelf = [REGISTER, passage("There are 50 seats.", 2, name="register.pdf")]

    events = await answer(model, shelf, question(f"How many staff has {name}?"))

    assert (len(model.first_asked), events[-1].outcome) == (asked, "not_found")
    assert text_of(events) == NOT_FOUND


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("Summarise this document.", 3),
        ("Summarise this document in two sentences.", 2),
        ("Fasse das Dokument in einem Satz zusammen.", 1),
    ],
)
async def test_a_summary_is_as_long_as_asked_and_else_shorter_than_its_text(asked, told):
    text = "The hall is big.\nIt is heated.\nThe crane works.\nThe rent is 900.\nIt has a roof."
    reply = "Source: [1] [2] [3] [4] [5]\nAnswer: " + " ".join(text.splitlines())
    model = ReplyModel(replies=[reply])

    events = await answer(model, [passage(text)], question(asked))

    assert text_of(events).count(". [") == told
    assert events[-1].outcome == "answered"


ROSTER = (
    "Hall: Hall 1; Day: Monday; Early: Holm.\nHall: Hall 1; Day: Tuesday; Early: Moss.\n"
    "Hall: Hall 2; Day: Monday; Early: Sund.\nHall: Hall 2; Day: Tuesday; Early: Lark."
)
POLICY = (
    "# 4. Expenses\n4.1 Receipts are handed in.\n4.2 Taxi fares are refunded\nat night.\n"
    "4.3 Tips are not refunded.\n# 5. Accidents\n5.1 Accidents are reported.\n6 Signed\n7 End"
)


@pytest.mark.parametrize(
    ("text", "asked", "told"),
    [
        (
            ROSTER,
            "Who is early on Tuesday in hall 1?",
            ["Hall: Hall 1; Day: Tuesday; Early: Moss."],
        ),
        (ROSTER, "Who is early in hall 3?", []),
        (POLICY, "What does section 4.2 say about it?", ["4.2 Taxi fares are refunded at night."]),
        (
            POLICY,
            "What does section 5 say about it?",
            ["# 5. Accidents", "5.1 Accidents are reported."],
        ),
        (POLICY, "What does section 9 say?", []),
    ],
)
async def test_lines_that_are_named_stand_behind_the_others(text, asked, told):
    model = ReplyModel(replies=[REFUSAL] * 2)

    await answer(model, [passage(text)], question(asked))

    lines = prompt(model.first_asked[-1]).split("\n\nQuestion:")[0].splitlines()[2:]
    assert [line.split("] ", 1)[1] for line in lines[len(lines) - len(told) :]] == told
    assert len({*lines}) == len(lines)
    assert sum(line.endswith(tuple(told or "-")) for line in lines) == 2 * len(told)


@pytest.mark.parametrize(
    ("text", "asked", "requests"),
    [
        (ROSTER, "Who is early on Wednesday in hall 1?", 0),
        (ROSTER, "Wer hat mittwochs oder am Mittwoch Frühdienst?", 0),
        (f"{ROSTER}\nNobody comes on Wednesday.", "Who is early on Wednesday?", 1),
        (ROSTER, "Wer hat am Dienstag Frühdienst?", 1),
        ("Open from Monday to Friday.", "When does it open on Wednesday?", 1),
    ],
)
async def test_a_day_that_a_table_of_days_has_not_is_not_there(text, asked, requests):
    model = ReplyModel(replies=[REFUSAL])

    events = await answer(model, [passage(text)], question(asked))

    assert (len(model.first_asked), events[-1].outcome) == (requests, "not_found")


async def test_a_summary_ends_once_it_has_told_half_of_a_text():
    names = ["ash", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine"]
    text = "\n".join(f"The {'very ' * 20}long line of {one}." for one in names)
    reply = "Source: [1]\nAnswer: " + " ".join(text.splitlines()[:4])
    model = ReplyModel(replies=[reply])

    events = await answer(model, [passage(text)], question("Summarise this document."))

    assert text_of(events).count("long line") == 4
    short = passage("\n".join(text.splitlines()[:3]))
    events = await answer(
        ReplyModel(replies=[reply]), [short], question("Summarise this document.")
    )
    assert text_of(events).count("long line") == 2, text_of(events)


async def test_a_result_that_the_model_quotes_is_told_and_not_the_number_of_its_line():
    query = "SELECT COUNT(*) FROM t"
    model = ReplyModel(replies=[query, "Source: [20] Calculated over all\nAnswer: 20 works."])

    events = await answer(model, [REGISTER], question("How many works are in the register?"))

    said = "Calculated over all of the 18 rows of the table in register.pdf: number of rows = 18"
    assert text_of(events).startswith(said)
    assert events[-1].outcome == "answered"


async def test_a_summary_without_a_source_is_told_by_the_lines_that_carry_it():
    text = "The hall is big and heated.\nThe rent is 900 euros."
    model = ReplyModel(replies=["Source: none\nAnswer: The rent of the hall is 900 euros."])

    events = await answer(model, [passage(text)], question("Summarise this document."))

    assert text_of(events) == "The rent of the hall is 900 euros. [1] [2]"
    assert events[-1].outcome == "answered"


RULES = """8.1 Boats are washed after use.
8.2 Oars go back to their rack.
8.3 Captains report damage on the same day.
8.4 Juniors wear a buoyancy aid."""


async def test_a_section_that_is_named_is_read_alone_first():
    reply = "Source: [1] 8.3 Captains report damage on the same day.\nAnswer: Report damage."
    model = ReplyModel(replies=[reply])

    events = await answer(model, [passage(RULES)], question("What does paragraph 8.3 want?"))

    lines = prompt(model.asked[0]).split("\n\nQuestion:")[0].splitlines()
    assert lines[-1] == "[1] 8.3 Captains report damage on the same day."
    assert "8.4" not in prompt(model.asked[0])
    assert [c.quote for c in events[-1].citations] == [RULES.splitlines()[2]]


OFFER = passage("The price is 900 euros.\nGuarantee: 25 years.", name="offer.pdf")
BID = Passage(
    "d2", "bid.pdf", 1, 0, 52, "We ask for 780 euros.\nWe guarantee the roof 15 years.", 0.9
)
QUOTES = ["What is the guarantee?", "Source: [2] Guarantee: 25", "Source: [2] We guarantee"]
EACH = ["Source: [1] Guarantee\nAnswer: 25 years.", "Source: [1] We\nAnswer: 15 years."]


@pytest.mark.parametrize(
    "verdict",
    ["Source: [1] Guarantee: 25 years.\nAnswer: 25 years.", REFUSAL],
)
async def test_a_comparison_that_leaves_a_file_out_is_answered_for_each(verdict):
    model = ReplyModel(replies=[*QUOTES, verdict, *EACH])
    asked = question("What guarantee does each of them give?")

    events = await answer(model, [OFFER, BID], asked)

    assert text_of(events) == "offer.pdf: 25 years. [1]\n\nbid.pdf: 15 years. [2]\n\n"
    assert [c.file_name for c in events[-1].citations] == ["offer.pdf", "bid.pdf"]
    assert "Question: What is the guarantee?" in prompt(model.asked[-1])


@pytest.mark.parametrize(
    ("asked", "verdict"),
    [
        ("Which of them gives more?", "Source: [1]\nAnswer: The first one, with 25 years."),
        ("Are both the same?", "Source: [1] [2]\nAnswer: No, 25 and 15 years."),
        ("What does each give?", "Source: [1] [2]\nAnswer: 25 years and 15 years."),
    ],
)
async def test_a_comparison_that_is_decided_is_told_as_it_is(asked, verdict):
    model = ReplyModel(replies=[*QUOTES, verdict])

    events = await answer(model, [OFFER, BID], question(asked))

    assert text_of(events).startswith(verdict.split("Answer: ")[1][:2])
    assert events[-1].outcome == "answered"


async def test_where_no_file_answers_alone_what_was_read_of_all_is_told():
    verdict = "Source: [1] Guarantee: 25 years.\nAnswer: 40 years."
    model = ReplyModel(replies=[*QUOTES, verdict, REFUSAL, REFUSAL])

    events = await answer(model, [OFFER, BID], question("What guarantee does each give?"))

    assert events[-1].outcome == "quoted"
    assert "> Guarantee: 25 years. [1]" in text_of(events)


class Pieces(ReplyModel):
    """Cuts the words that it does not know into two pieces, as a tokenizer does."""

    async def count_tokens(self, texts):
        return [1 + ("captans" in text) for text in texts]


async def test_a_misspelt_word_is_read_as_the_documents_have_it_and_a_word_as_it_is():
    model = Pieces(replies=[REFUSAL])

    # "Boots" is a slip away from "boats", and a word as that.
    await answer(model, [passage(RULES)], question("When do captans report boots?"))

    assert prompt(model.asked[0]).endswith("Question: When do captains report boots?")


ACCOUNT = """Date: 1 May; Payee: Grove Market; Paid out: 12.00; Balance: 90.00.
Date: 2 May; Payee: Refund; Paid in: 20.00; Balance: 110.00.
Date: 3 May; Payee: Grove Market; Paid out: 31.90; Balance: 78.10."""


async def test_a_query_that_works_on_a_column_that_its_rows_lack_is_written_anew_without_it():
    queries = [
        f"SELECT SUM({column}) FROM t WHERE payee = 'Grove Market'"
        for column in ("paid_in", "paid_out")
    ]
    reply = "Source: [1] Calculated\nAnswer: 43.90 were spent at Grove Market."
    model = ReplyModel(replies=[*queries, reply])

    events = await answer(
        model, [passage(ACCOUNT)], question("How much was spent at Grove Market?")
    )

    assert "paid_in" in prompt(model.asked[0])
    assert "paid_in" not in prompt(model.asked[1])
    assert text_of(events).startswith("43.90 were spent at Grove Market. [1]")


THREAD = """From: Per Ostby <per@example.org>
Date: Tue, 04 Mar 2025 08:00:00 +0000
Subject: Re: Delivery

Then we take the large crane.

On 3 March 2025 at 09:30, Ada Holm wrote:

> The crane is in repair until Thursday.
> The small one is free.

Von: Sund Ferries
Gesendet: Montag, 24. Februar 2025 17:12
Betreff: Delivery

We deliver on 27 March.
Please be there at nine."""


@pytest.mark.parametrize(
    ("asked", "told", "hidden"),
    [
        ("What does the mail of 3 March say?", "in repair until Thursday", "27 March"),
        ("What does the message of 24 February say?", "Betreff: Delivery", "in repair"),
        ("What did Per write on March 4th?", "the large crane", "27 March"),
    ],
)
async def test_of_several_messages_the_one_of_the_day_is_read_first(asked, told, hidden):
    model = ReplyModel(replies=["Source: [1]\nAnswer: So it is."])

    await answer(model, [passage(THREAD, None, "thread.eml")], question(asked))

    shown = prompt(model.asked[0])
    assert told in shown
    assert hidden not in shown.split("\n\nQuestion:")[0]
