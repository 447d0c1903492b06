"""What a question over long documents is answered from."""

from dataclasses import replace

import pytest
from fakes import ReplyModel, ShelfLibrary

from rig.queue_model import QueueModel
from xnai.answering.events import Done, Question, Token
from xnai.answering.pipeline import Pipeline
from xnai.answering.reading.central import central_lines
from xnai.answering.reading.gather import FOUND_TOKENS, SUMMARY_TOKENS, WHOLE_TOKENS, Gatherer
from xnai.answering.reading.lines import make_sheet
from xnai.answering.run import AnswerRun
from xnai.documents.text_work import TextWork
from xnai.retrieval.search import Found
from xnai.types import PageText, Passage, Scope

MODEL = QueueModel(context_tokens=16_000)
PLENTY = 10_000


def page(number: int, text: str, document: str = "d1") -> Passage:
    return Passage(document, f"{document}.pdf", number, 0, len(text), text, 0.9)


def book(pages: int = 60, words: int = 100) -> list[Passage]:
    """A book of more than is read whole; each page has a section of its number."""
    filler = " ".join(f"word{n % 37}" for n in range(words))
    return [
        page(number, f"{number}.1 Of matter {number}\nIt is said on page {number}. {filler}.")
        for number in range(1, pages + 1)
    ]


def run(text: str = "What is said?", whole=None) -> AnswerRun:
    question = Question(text, "r", "u", scope=Scope("thread:1"))
    return replace(AnswerRun.begin(question), whole=whole)


async def gathered(shelf, text="What is said?", *, whole=None, room=PLENTY):
    library = shelf if isinstance(shelf, ShelfLibrary) else ShelfLibrary(shelf)
    return await Gatherer(library, TextWork()).gather(replace(run(text, whole), lease=LEASE), room)


class Lease:
    """The model that all questions here are given."""

    model = MODEL


LEASE = Lease()


async def tokens_of(sheet) -> int:
    return sum(await MODEL.count_tokens([sheet.text]))


async def test_documents_that_fit_are_whole():
    found = await gathered(book(3))

    assert (found.share, found.found) == (1.0, None)
    assert {line.source.page for line in found.sheet.lines} == {1, 2, 3}


async def test_where_there_is_room_for_less_they_are_searched():
    library = ShelfLibrary(book(3))

    found = await gathered(library, room=150)

    assert library.queries == ["What is said?"]
    assert {line.source.page for line in found.sheet.lines} == {1}
    assert 0 < found.share < 1


async def test_of_long_documents_pages_are_given_best_first_until_the_budget_is_spent():
    found = await gathered(book())

    assert await tokens_of(found.sheet) <= 1.2 * FOUND_TOKENS
    pages = sorted({line.source.page for line in found.sheet.lines})
    assert pages == list(range(1, len(pages) + 1))
    assert len(pages) > 8


async def test_a_section_that_is_named_is_read_though_the_search_does_not_find_it():
    found = await gathered(book(), "What does section 47.1 say?")

    assert "47.1 Of matter 47" in found.sheet.text
    (line,) = (line for line in found.sheet.lines if line.text.startswith("It is said on page 47"))
    assert line.source.text[line.start - line.source.start :].startswith("It is said on page 47")


async def test_what_has_a_number_of_the_question_is_given_before_what_is_more_alike():
    found = await gathered([*book(11, 350), page(77, "Order 12601 goes to Quay.")], "Order 12601?")

    assert "Order 12601 goes to Quay." in found.sheet.text


async def test_a_page_that_is_named_is_read():
    found = await gathered(book(), "What stands on page 33?")

    assert "It is said on page 33." in found.sheet.text
    assert "--- Page 33 ---" in found.sheet.text


@pytest.mark.parametrize("asked", ["What is on the second slide?", "Was steht auf der 2. Folie?"])
async def test_a_page_may_be_named_by_its_place(asked):
    found = await gathered([*book(40)[2:], *book(2)], asked.replace("2. Folie", "zweiten Folie"))

    assert "It is said on page 2." in found.sheet.text


def letters(count: int) -> list[Passage]:
    """A mailbox: a message for each day of March and April, which says what it is about."""
    filler = " ".join(f"word{n % 37}" for n in range(100))
    return [
        page(
            number + 1,
            f"From: Ada <a@example.org>\nTo: Per\nDate: {number % 30 + 1:02} "
            f"{'Mar' if number < 30 else 'Apr'} 2025 09:30:00 +0000\nSubject: Matter {number}\n\n"
            f"The crane takes {number} tonnes. {filler}.",
        )
        for number in range(count)
    ]


@pytest.mark.parametrize(
    "asked",
    [
        "What does the mail of 23 April say about the crane?",
        "Was steht in der Nachricht vom 23. April 2025?",
        "What did Ada write in her message of 2025-04-23?",
    ],
)
async def test_a_message_is_found_by_its_day(asked):
    found = await gathered(letters(60), asked)

    assert "The crane takes 52 tonnes." in found.sheet.text
    assert "Date: 23 Apr 2025" in found.sheet.text


async def test_a_day_of_which_no_message_is_asked_names_none():
    found = await gathered(letters(60), "How many tonnes on 23 April?")

    assert "The crane takes 52 tonnes." not in found.sheet.text


async def test_the_number_of_pages_is_told_only_where_it_is_known():
    found = await gathered(book(), "What stands on page 33?")

    assert "=== File: d1.pdf ===" in found.sheet.text


class Counting(ShelfLibrary):
    """Counts the pages that it is asked for."""

    asked = 0

    async def page_text(self, document_id: str, page: int | None) -> str | None:
        self.asked += 1
        return await super().page_text(document_id, page)


async def test_a_question_that_names_very_many_places_reads_few_of_them():
    library = Counting(book())
    names = " ".join(f"page {n}, section {n}.1" for n in range(1, 500))

    await gathered(library, f"What do they say: {names}?")

    assert library.asked < 300


class Piecemeal(ShelfLibrary):
    """Finds many pieces of the first page, and then another page."""

    async def find(self, question: str, scope: Scope, limit: int) -> Found:
        first = self.shelf[0]
        pieces = [
            Passage("d1", "d1.pdf", 1, n, n + 20, first.text[n : n + 20], 0.9)
            for n in range(0, 100, 10)
        ]
        return Found([*pieces, self.shelf[21]])


async def test_several_passages_of_one_page_take_its_room_once():
    found = await gathered(Piecemeal(book(60, 230)))

    assert {line.source.page for line in found.sheet.lines} == {1, 22}


async def test_of_a_passage_that_is_too_long_for_the_room_the_best_part_is_given():
    text = " ".join(f"word{n}" for n in range(2000))
    start = text.index("word1000")
    long = replace(page(1, text), evidence=(start, start + 8))

    found = await gathered([long], room=200)

    (first, *_) = found.sheet.lines
    assert first.text.startswith("word1000 ")
    assert first.start == start
    assert await tokens_of(found.sheet) <= 210


async def test_a_summary_of_a_long_document_has_lines_of_all_its_parts():
    found = await gathered(book(600, 20), "Summarise it.", whole="summary")

    pages = [line.source.page for line in found.sheet.lines]
    assert pages == sorted(pages)
    for begin in range(1, 600, 120):
        assert any(begin <= page < begin + 120 for page in pages)
    assert await tokens_of(found.sheet) <= 2 * SUMMARY_TOKENS
    assert 0 < found.share < 0.5


async def test_a_summary_of_a_long_document_cites_what_it_was_made_from():
    reply = "Source: [1] a\nAnswer: It is about many matters."
    model = ReplyModel(replies=[reply], context_tokens=16_000)
    asked = Question("Summarise it.", "r", "u", scope=Scope("thread:1"))

    events = [e async for e in Pipeline(ShelfLibrary(book(600, 20)), model).answer(asked)]

    done = events[-1]
    assert isinstance(done, Done)
    assert (done.route, done.outcome) == ("summary", "answered")
    assert 0 < done.read_share < 0.5
    assert "".join(e.text for e in events if isinstance(e, Token)).endswith("[1]")


def lines_of(*texts: str):
    pages = [PageText("d", "d.txt", 1, None, "\n".join(texts))]
    return make_sheet(pages).lines


def test_central_lines_are_in_order_and_as_many_as_there_is_room_for():
    texts = [f"The valve number {n} was tested on day {n} of May." for n in range(500)]

    chosen = central_lines(lines_of(*texts), 2000)

    numbers = [line.number for line in chosen]
    assert numbers == sorted(set(numbers))
    assert 1000 < sum(len(line.text) for line in chosen) <= 2000


def test_of_lines_that_say_the_same_one_is_central():
    same = ["The pump was replaced because of heavy corrosion."] * 60
    other = ["The auditor asked for two more signatures at once."] * 5

    chosen = central_lines(lines_of(*same, *other), 120)

    assert {line.text for line in chosen} == {same[0], other[0]}


def test_what_fits_is_given_without_the_lines_that_say_nothing():
    chosen = central_lines(lines_of("Page", "The pump was replaced in the old hall."), 1000)

    assert [line.text for line in chosen] == ["The pump was replaced in the old hall."]


@pytest.mark.parametrize("characters", [10, 1000])
def test_where_all_lines_are_short_they_are_taken_as_they_are(characters):
    chosen = central_lines(lines_of("a | 1", "b | 2", "c | 3"), characters)

    assert 0 < len(chosen) <= 3


def test_nothing_is_central_to_no_lines():
    assert central_lines([], 100) == []
    assert WHOLE_TOKENS > SUMMARY_TOKENS > FOUND_TOKENS
