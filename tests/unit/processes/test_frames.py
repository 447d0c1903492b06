"""Frames between processes: what a class says is all that arrives."""

from dataclasses import dataclass
from typing import NamedTuple

import pytest

from xnai.processes.frames import FrameError, Frames, encode


class Place(NamedTuple):
    x: int
    name: str


@dataclass(frozen=True)
class Places:
    places: tuple[Place, ...]
    box: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Other:
    pass


FRAMES = Frames[Places | Other](Places | Other)


def test_named_tuples_and_tuples_of_one_length_arrive_as_they_were_sent():
    sent = Places((Place(1, "a"), Place(2, "b")), (3, 4))

    assert FRAMES.decode(encode(sent)) == sent


@pytest.mark.parametrize(
    "body",
    [
        b'{"places": [[1]]}',
        b'{"places": [[1, "a", 2]]}',
        b'{"places": [["a", 1]]}',
        b'{"places": [[true, "a"]]}',
        b'{"places": [{"x": 1, "name": "a"}]}',
        b'{"places": ["ab"]}',
        b'{"places": [], "box": [1]}',
        b'{"places": [], "box": [1, 2, 3]}',
        b'{"places": [], "box": [1, "2"]}',
    ],
)
def test_what_has_another_length_or_other_kinds_is_no_frame(body):
    with pytest.raises(FrameError):
        FRAMES.decode(b'{"Places": ' + body + b"}")
