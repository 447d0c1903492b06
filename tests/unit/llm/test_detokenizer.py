"""Stop strings and characters across token borders."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xnai.llm.worker.detokenizer import StopMatcher, TextStream

SMALL = st.text(alphabet="ab<|", max_size=30)
STOPS = st.lists(st.text(alphabet="ab<|", min_size=1, max_size=4), max_size=3)


def _shown(text: str, stops: list[str], cuts: list[int]) -> str:
    matcher = StopMatcher(stops)
    borders = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    pieces = [text[a:b] for a, b in itertools.pairwise(borders)]
    shown = "".join(matcher.feed(piece) for piece in pieces)
    return shown if matcher.stopped else shown + matcher.flush()


def _expected(text: str, stops: list[str]) -> str:
    for end in range(len(text) + 1):
        starts = [end - len(stop) for stop in stops if text[:end].endswith(stop)]
        if starts:
            return text[: min(starts)]
    return text


@given(text=SMALL, stops=STOPS, cuts=st.lists(st.integers(0, 30), max_size=8))
def test_the_same_text_is_shown_however_it_is_cut(text, stops, cuts):
    assert _expected(text, stops) == _shown(text, stops, cuts)


@given(text=SMALL, stop=st.text(alphabet="ab<|", min_size=1, max_size=4))
def test_a_stop_string_is_never_shown(text, stop):
    assert stop not in _shown(text, [stop], list(range(len(text))))


def test_text_that_cannot_become_a_stop_string_is_shown_at_once():
    assert StopMatcher(["xyz"]).feed("abc") == "abc"


def test_text_that_might_become_a_stop_string_is_held_back_until_it_does_not():
    matcher = StopMatcher(["<end>"])
    assert [matcher.feed(piece) for piece in ("a<", "en", "ough")] == ["a", "", "<enough"]


def test_nothing_is_shown_after_a_stop_string():
    matcher = StopMatcher(["."])
    assert (matcher.feed("One. Two"), matcher.feed("three"), matcher.stopped) == ("One", "", True)


def test_an_empty_stop_string_stops_nothing():
    assert StopMatcher([""]).feed("text") == "text"


@given(st.text(alphabet="aé漢字🦊👩‍🚀🏳️‍🌈", max_size=20))
def test_characters_are_whole_however_their_bytes_are_cut(text):
    stream = TextStream()
    pieces = [stream.feed(bytes([byte])) for byte in text.encode()]
    assert text == "".join(pieces) + stream.flush()
    assert all("\ufffd" not in piece for piece in pieces)


@pytest.mark.parametrize("character", ["é", "漢", "🦊"])
def test_a_character_that_was_cut_off_is_dropped(character):
    stream = TextStream()
    assert stream.feed(b"a" + character.encode()[:-1]) + stream.flush() == "a"


def test_a_stop_string_of_emoji_is_found_across_borders():
    stream = TextStream(["🛑"])
    shown = "".join(stream.feed(bytes([byte])) for byte in "go🛑on".encode())
    assert (shown, stream.stopped) == ("go", True)


MIXED = st.text(alphabet="aé漢🦊👩‍🚀", max_size=20)
MIXED_STOPS = st.lists(st.text(alphabet="aé漢🦊👩‍🚀", min_size=1, max_size=3), max_size=4)


def _stream(pieces: list[bytes], stops: list[str]) -> tuple[str, bool]:
    stream = TextStream(stops)
    shown = ""
    for piece in pieces:
        shown += stream.feed(piece)
        if stream.stopped:
            return shown, True
    return shown + stream.flush(), False


def _pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    borders = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(borders)]


@given(text=MIXED, stops=MIXED_STOPS, cuts=st.lists(st.integers(0, 99), max_size=12))
def test_emoji_and_cjk_stop_alike_however_their_bytes_are_cut_into_tokens(text, stops, cuts):
    expected = _expected(text, stops)
    stopped = any(stop in text for stop in stops)
    assert (expected, stopped) == _stream(_pieces(text.encode(), cuts), stops)


@given(text=MIXED, lost=st.integers(1, 3), cuts=st.lists(st.integers(0, 99), max_size=6))
def test_an_answer_cut_off_inside_a_character_ends_before_it(text, lost, cuts):
    data = f"{text}🦊".encode()[:-lost]
    assert _stream(_pieces(data, cuts), []) == (text, False)


@given(data=st.binary(max_size=40), cuts=st.lists(st.integers(0, 99), max_size=8))
def test_bytes_that_are_no_text_are_shown_alike_however_they_are_cut(data, cuts):
    assert _stream([data], []) == _stream(_pieces(data, cuts), [])


@pytest.mark.parametrize(
    ("pieces", "stops", "shown"),
    [
        (["one<|end|>two"], ["<|end|>"], "one"),  # inside one token
        (["one<", "|en", "d|", ">two"], ["<|end|>"], "one"),  # over several
        (["a\n", "\nUser", ":"], ["\nUser:"], "a\n"),
        (["aab"], ["ab"], "a"),  # begins again inside a failed beginning
        (["a", "a", "b"], ["ab"], "a"),
        (["xabcd"], ["abcd", "bc"], "xa"),  # the one that ends first
        (["xab"], ["b", "ab"], "x"),  # both end together: the longer
        (["x", "a", "b"], ["ab", "b"], "x"),
        (["\u6f22", "\u5b57\u3002"], ["\u3002", "\u5b57\u3002"], "\u6f22"),
        (["👩", "\u200d", "🚀!"], ["\u200d🚀"], "👩"),
        (["stop", "stop"], ["stop"], ""),
    ],
)
def test_overlapping_stop_strings_and_those_over_token_borders(pieces, stops, shown):
    assert _stream([piece.encode() for piece in pieces], stops) == (shown, True)


def test_a_character_that_may_begin_a_stop_string_is_held_until_its_last_byte_tells():
    stream = TextStream(["🛑x"])
    fed = [stream.feed(piece) for piece in (b"a", "🛑".encode()[:2], "🛑".encode()[2:], b"y")]
    assert fed == ["a", "", "", "🛑y"]


def test_what_was_held_back_for_a_stop_string_is_shown_at_the_end():
    assert _stream([b"one<|en"], ["<|end|>"]) == ("one<|en", False)
