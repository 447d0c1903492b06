"""Server-sent events, however they are cut and whatever they hold."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xnai.llm.remote.sse import LONGEST, Comment, Event, SseError, SseParser

STREAM = (
    '\ufeff: queued 3\n\ndata: {"a": 1}\r\n\r\nevent: error\rdata:x\rdata:  y\r\r'
    "id: 1\nretry: 5\nnonsense\ndata\n\ndata: größe 東京 \u2028\U0001f600\n\n:\n\ndata: cut off\n"
).encode()
ITEMS = [
    Comment("queued 3"),
    Event('{"a": 1}'),
    Event("x\n y", "error"),
    Event(""),
    Event("größe 東京 \u2028\U0001f600"),
    Comment(""),
]


def parse(*parts: bytes):
    parser = SseParser()
    return [item for part in parts for item in parser.feed(part)]


def test_events_comments_and_all_three_line_ends_are_read():
    assert parse(STREAM) == ITEMS


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_it_does_not_matter_where_the_bytes_are_cut(cuts):
    borders = [0, *sorted(cuts), len(STREAM)]
    parts = [STREAM[a:b] for a, b in pairwise(borders)]
    assert parse(*parts) == ITEMS


def test_it_does_not_matter_if_every_byte_comes_alone():
    assert parse(*(bytes([byte]) for byte in STREAM)) == ITEMS


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parser(garbage):
    parse(garbage, b"\n\ndata: after\n\n")


@pytest.mark.parametrize("unit", [b"data: ", b"x", b":"])
def test_a_line_that_never_ends_is_refused(unit):
    parser = SseParser()
    with pytest.raises(SseError, match="too long"):
        for _ in range(3):
            parser.feed(unit * (LONGEST // len(unit) // 2))


def test_an_event_that_never_ends_is_refused():
    parser = SseParser()
    with pytest.raises(SseError, match="too long"):
        for _ in range(1100):
            parser.feed(b"data: " + b"x" * 1000 + b"\n")


def test_a_megabyte_byte_by_byte_is_read_in_linear_time():
    parser = SseParser()
    for _ in range(200_000):
        parser.feed(b"x")
    assert parser.feed(b"\n\n") == []
