"""What is told of the reading of a document: never less than before, and never all of it."""

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xnai.cli.main import _how_far
from xnai.documents.progress import ReadingGauge, rest, seconds_left, verb_and_count
from xnai.documents.protocol import IngestProgress
from xnai.locale import IN_ENGLISH, texts_in
from xnai.ui.document_words import progress_words


def test_pages_that_were_read_and_embedded_are_the_share():
    gauge = ReadingGauge({"parse": 3.0, "embed": 1.0}, pages=5, total=10, chunks=40, embedded=40)

    assert gauge.share() == 0.5
    assert gauge.page_count == 10


def test_what_is_not_embedded_yet_counts_by_the_time_that_embedding_takes():
    slow_pages = ReadingGauge(
        {"parse": 9.0, "embed": 1.0}, pages=5, total=10, chunks=40, embedded=20
    )
    slow_passages = ReadingGauge(
        {"parse": 1.0, "embed": 9.0}, pages=5, total=10, chunks=40, embedded=20
    )

    assert slow_pages.share() == pytest.approx(0.475)
    assert slow_passages.share() == pytest.approx(0.275)


def test_the_whole_of_a_document_without_pages_counts_by_what_was_cut_of_it():
    gauge = ReadingGauge({"parse": 1.0, "embed": 1.0}, total=1, inside=0.5, chunks=10, embedded=10)

    assert gauge.share() == 0.5


def test_nothing_is_told_of_a_document_of_unknown_length():
    assert ReadingGauge(pages=7, chunks=9, embedded=9).share() == 0


def test_all_is_not_done_before_it_is_stored():
    gauge = ReadingGauge({}, pages=3, total=3, chunks=9, embedded=9, complete=True)

    assert gauge.share() == 0.99


STATES = st.tuples(
    st.integers(0, 30), st.integers(-5, 20), st.floats(0, 1), st.integers(0, 50), st.integers(0, 50)
)


@given(st.lists(STATES, min_size=1), st.floats(0, 100), st.floats(0, 100))
def test_whatever_a_reader_says_the_share_grows_and_stays_below_one(states, parse, embed):
    gauge = ReadingGauge({"parse": parse, "embed": embed})
    last = 0.0
    for gauge.pages, gauge.total, gauge.inside, gauge.chunks, gauge.embedded in states:
        share = gauge.share()
        assert last <= share < 1
        last = share


def test_the_time_left_follows_from_the_time_until_now_and_grows_while_nothing_moves():
    event = IngestProgress("embedding", 10, 40, share=0.25, began=100.0)

    assert seconds_left(event, 110.0) == 30
    assert seconds_left(event, 120.0) == 60
    assert seconds_left(event, 100.5) is None
    assert seconds_left(replace(event, share=0.0), 110.0) is None


@pytest.mark.parametrize(
    ("share", "left", "words"),
    [
        (0.0, None, ""),
        (0.24, None, "24%"),
        (0.24, 40, "24%, about 40 s left"),
        (0.5, 300, "50%, about 5 min left"),
        (0.99, 0, "99%, about 1 s left"),
    ],
)
def test_how_far_it_is_in_words(share, left, words):
    assert rest(share, left) == words


def test_what_is_done_of_how_much_in_words():
    assert verb_and_count(IngestProgress("parsing", 3, 20)) == ("Reading", "3 of 20 pages")
    assert verb_and_count(IngestProgress("chunking", 1200, 0)) == ("Splitting", "1,200 passages")
    assert verb_and_count(IngestProgress("parsing", 0, 0)) == ("Reading", "")


def test_the_command_line_says_stage_share_and_time():
    state = {"status": "processing", "status_details": "Reading: 3 of 20 pages", "eta_seconds": 40}

    assert _how_far({**state, "progress": 0.24}) == "Reading: 3 of 20 pages, 24%, about 40 s left"
    assert _how_far({**state, "progress": 0.0}) == "Reading: 3 of 20 pages"
    assert _how_far({"status": "uploaded"}) == "uploaded"


def test_the_page_says_stage_share_and_time():
    began = time.monotonic() - 10

    event = IngestProgress("embedding", 8, 32, share=0.25, began=began)

    told = progress_words("tea.pdf", event, IN_ENGLISH)

    assert told.startswith("Indexing tea.pdf: 8 of 32 passages, 25%, about 3")
    assert (
        progress_words("tea.pdf", IngestProgress("parsing", 0, 0), IN_ENGLISH) == "Reading tea.pdf"
    )
    assert "25%, noch etwa 3" in progress_words("tea.pdf", event, texts_in("de"))
    slow = IngestProgress("parsing", 1, 9, share=0.05, began=began)
    assert progress_words("tea.pdf", slow, IN_ENGLISH).endswith("5%, about 3 min left")
