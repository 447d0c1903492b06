"""Code without patterns that strangers' text reaches grows with the text, not with its square."""

import asyncio
from contextlib import suppress

import pytest
from growth import FOUR_TIMES, growth

from rig.queue_model import QueueModel
from xnai.answering.citations import Citer
from xnai.answering.events import Question
from xnai.answering.map_reduce_notes import CitedLines, Note
from xnai.answering.prompt import build_prompt
from xnai.answering.reading.lines import make_sheet, quoted_lines
from xnai.answering.reading.sums import worked_out
from xnai.answering.reading.telling import Telling
from xnai.answering.tables.intent import best_table
from xnai.answering.tables.records import tables_of
from xnai.documents.parsers import mail, media_type, plain, registry
from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.headers_footers import EdgedPage, EdgeSegment, HeadersFooters
from xnai.documents.parsers.markdown_tables import linearized_markdown
from xnai.documents.parsers.seen import Seen
from xnai.documents.parsers.table import linearized
from xnai.documents.pdf.columns import aligned
from xnai.documents.pdf.footnotes import notes
from xnai.documents.pdf.words import Word
from xnai.types import Message, PageText, Passage, Sampling
from xnai.ui.history.sqlite.searching import contains

MANY = 10**8  # characters that a document may have


@pytest.fixture
def grows(tmp_path):
    """Tell the growth of work on a file, or on what is made."""

    def of(work, made, size):
        def on_file(data):
            path = tmp_path / "file"
            path.write_bytes(data)
            with suppress(Failure, RecursionError):
                work(path)

        is_file = isinstance(made(1), bytes)
        ratio = growth(on_file if is_file else work, made, size)
        assert ratio <= FOUR_TIMES, f"{ratio:.1f} times the work"

    return of


@pytest.mark.parametrize("piece", [b'"', b'",', b'",\n', b'"a"', b"'", b"',", b"a,", b";", b"\n"])
def test_telling_the_form_of_a_table(grows, piece):
    def read(path):
        return plain.csv_page(path, MANY, Seen())

    grows(read, lambda n: piece * (n // len(piece)), 16_000)


def test_headings_over_rows_of_one_cell(grows):
    grows(list, lambda n: linearized([["h"] * n, ["a", "b"]] + [["1", ""]] * n), 1000)


def test_a_long_heading_is_not_repeated_whole():
    for size in (1000, 4000):
        rows = list(linearized([["h" * size, "z"]] + [["1", "2"]] * size))
        assert sum(map(len, rows)) < 300 * size


def test_markdown_with_a_wide_grid(grows):
    grows(
        linearized_markdown,
        lambda n: "|" + "h|" * n + "\n|" + "-|" * n + "\n" + "|1|\n" * n,
        1000,
    )


@pytest.mark.parametrize("value", [b'"', b"a@b.c, ", b"((((", b"<<<<", b"=?utf-8?q?a?= "])
@pytest.mark.parametrize("name", [b"To", b"Subject", b"Content-Type"])
def test_headers_of_a_message(grows, name, value):
    grows(
        lambda path: mail.mail_page(path, MANY, Seen(), registry.pages),
        lambda n: name + b": " + value * (n // len(value)) + b"\n\nhello\n",
        10_000,
    )


@pytest.mark.parametrize("piece", [b"1", b"1 ", b"<!-- ", b"<a ", b" ", b"From: a\n"])
def test_telling_what_a_file_is(grows, piece):
    head = b"junk\n%PDF-" if piece.startswith(b"1") else b""
    grows(
        lambda path: media_type.media_type(path, "a.html"),
        lambda n: head + piece * (n // len(piece)),
        15_000,
    )


def test_lines_in_the_margins_of_pages(grows):
    def made(n):
        segments = [EdgeSegment(5 * i, 5 * i + 4, f"line{i}", 0.1 * i / n) for i in range(n)]
        return [EdgedPage(number, "word\n" * n, segments) for number in range(5)]

    def judged(sheets):
        margins = HeadersFooters(sheets)
        return [margins.blanked(sheet) for sheet in sheets]

    grows(judged, made, 1000)


def word(number, x, y, text="word"):
    return Word(number, number, text, x, y, x + 20, y + 10, 10.0)


def one_row_of_many_cells(n):
    rows = [[word(3 * i + row, 100.0 * i, -20.0 * row) for i in range(n)] for row in range(3)]
    return [one for row in rows for one in row]


def a_row_above_a_line(n):
    cells = [word(i, 100.0 * i, 0.0) for i in range(n)]
    return cells + [word(n + i, 22.0 * i + 30, -20.0) for i in range(n)]


def many_lines(n):
    return [
        word(6 * line + i, 22.0 * i + line % 50, -12.0 * line)
        for line in range(n)
        for i in range(6)
    ]


@pytest.mark.parametrize("made", [one_row_of_many_cells, a_row_above_a_line, many_lines])
def test_words_in_columns(grows, made):
    grows(lambda words: (aligned(words, (), lambda _: ""), notes(words)), made, 6400)


def passage(text):
    return Passage("d", "a.pdf", None, 0, len(text), text, 1.0)


def test_an_answer_without_an_end_of_its_sentence(grows):
    def cite(pieces):
        citer = Citer([passage("the lamp was replaced")])
        for piece in pieces:
            citer.feed(piece)
        citer.finish()

    grows(cite, lambda n: ["word ", "and "] * n, 4000)


def test_a_list_of_very_many_lines(grows):
    def read(texts):
        lines = CitedLines()
        for text in texts:
            lines.lines(Note(text, passage(text)))

    grows(read, lambda n: [f"{number} is listed" for number in range(n)], 1000)


def test_a_history_of_very_many_messages(grows):
    def build(question):
        asyncio.run(build_prompt(QueueModel(context_tokens=40_000), question, []))

    def made(n):
        history = (Message("user", "a"), Message("assistant", "b")) * n
        return Question("why", "r", "u", history=history, sampling=Sampling(max_tokens=10))

    grows(build, made, 2500)


class Counting(QueueModel):
    """Counts what it is asked to tokenise, and takes more for a message than is thought."""

    tokenised = rounds = 0

    async def count_tokens(self, texts):
        self.tokenised += len(texts)
        return await super().count_tokens(texts)

    async def count_prompt(self, messages):
        self.rounds += 1
        return sum(len(m.content.split()) + 40 for m in messages)


async def test_messages_that_cannot_fit_are_not_tokenised_and_the_rest_is_read_a_few_times():
    model = Counting(context_tokens=8000)
    history = (Message("user", "a"), Message("assistant", "b")) * 100_000

    prompt = await build_prompt(model, Question("why", "r", "u", history=history), [])

    assert model.tokenised <= 8000 // 8 + 2
    assert model.rounds <= 12
    assert prompt.tokens + prompt.max_tokens <= 8000
    assert len(prompt.messages) > 20
    assert prompt.dropped == (f"the {200_002 - len(prompt.messages)} oldest messages",)


def page(text):
    return PageText("d", "a.pdf", 1, None, text)


@pytest.mark.parametrize(
    "piece", ["a", "a ", "a\n", "\n", " ", ". ", "[1] ", "1.1 a\n", "long line\n"]
)
def test_numbering_the_lines_of_a_page(grows, piece):
    grows(lambda text: make_sheet([page(text)]), lambda n: piece * (n // len(piece)), 20_000)


@pytest.mark.parametrize("piece", ["[1] ", "[1] the lamp was ", "[1, 2] ", "[1-9] ", "[", "[[1"])
def test_looking_up_quoted_lines(grows, piece):
    sheet = make_sheet([page("The lamp was replaced.\nThe tower was built.")])
    grows(lambda text: quoted_lines(text, sheet), lambda n: piece * (n // len(piece)), 10_000)


@pytest.mark.parametrize("piece", ["1 + ", "1", "1,", "1 = 1 ", "1 x 1 ", "$1+"])
def test_working_out_sums(grows, piece):
    grows(worked_out, lambda n: piece * (n // len(piece)), 2000)


@pytest.mark.parametrize(
    "piece", ["\n", "*", "Answer: ", "\nAnswer: ", "a. ", "1. ", "[1] ", "a", "Yes. ", "Source: "]
)
@pytest.mark.parametrize("begun", ["", "Source: [1]", "Source: [1]\nAnswer: "])
def test_a_reply_that_comes_in_one_piece(grows, begun, piece):
    sheet = make_sheet([page("The lamp was replaced.\nThe tower was built.")])

    def tell(text):
        telling = Telling("Why?", sheet)
        list(telling.feed(text))
        list(telling.finish())

    grows(tell, lambda n: begun + piece * (n // len(piece)), 4000)


@pytest.mark.parametrize(
    "line", ["w{} 1", "w{}: 1", "w{}: x; v{}: 2.", "A: {}; B: 2.", "A: 1; w{}: 2.", "A {}"]
)
def test_tables_whose_labels_are_all_different(grows, line):
    def calculated(text):
        best_table(tables_of([page(text)]), "What is the highest total?")

    grows(calculated, lambda n: "\n".join(line.format(i, i) for i in range(n)), 1000)


def test_looking_for_long_words_in_a_long_message(grows):
    grows(lambda n: contains("a" * n, "a" * (n // 4) + "b"), lambda n: n, 50_000)
