"""Pictures that lie askew, were taken from the side, or lie in the shade."""

import random

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from xnai.documents.parsers import straighten
from xnai.documents.parsers.ocr import PictureText, Read
from xnai.documents.pdf import scans
from xnai.types import UNITS

WORDS = [
    "pump",
    "station",
    "was",
    "checked",
    "on",
    "a",
    "Monday",
    "rain",
    "came",
    "in",
    "by",
    "roof",
]
CHANCE = random.Random(4)
LINES = [" ".join(CHANCE.choices(WORDS, k=CHANCE.randint(6, 11))) for _ in range(25)]
SIZE = (1240, 1754)


def page() -> Image.Image:
    drawn = Image.new("L", SIZE, 250)
    pen, font = ImageDraw.Draw(drawn), ImageFont.load_default(26)
    for n, text in enumerate(LINES):
        pen.text((120, 120 + 60 * n), text, fill=20, font=font)
    return drawn


def rise_of(picture: Image.Image) -> float:
    found = straighten._rises(picture)
    return 0.0 if found is None else found[0]


@pytest.mark.parametrize("degrees", [-2.5, -1.2, 0.6, 1.8])
def test_a_page_that_lies_askew_is_levelled(degrees):
    askew = page().rotate(degrees, Image.Resampling.BICUBIC, fillcolor=250)
    assert rise_of(askew) == pytest.approx(-np.tan(np.radians(degrees)), abs=0.003)
    level, changed = straighten.levelled(askew)
    assert changed
    assert abs(rise_of(level)) < 0.003


def test_a_page_that_lies_straight_is_left_as_it_is():
    straight = page()
    assert straighten.levelled(straight) == (straight, ())


def test_a_page_without_lines_is_left_as_it_is():
    noise = np.random.default_rng(4).normal(128, 40, (900, 700)).clip(0, 255).astype(np.uint8)
    drawn = Image.fromarray(noise)
    assert straighten.levelled(drawn) == (drawn, ())
    blank = Image.new("L", (900, 700), 255)
    assert straighten.levelled(blank) == (blank, ())


def test_lines_that_converge_as_in_a_photo_are_levelled():
    width, height = SIZE
    corners = (0, 0, -40, height, width + 20, height - 45, width, 45)
    taken = page().transform(SIZE, Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)
    found = straighten._rises(taken)
    assert found is not None
    assert abs(found[1]) > 0.02
    level, _ = straighten.levelled(taken)
    left = straighten._rises(level)
    assert left is None or max(map(abs, left)) < 0.006


def test_shadows_are_taken_out_and_ink_stays():
    pixels = np.asarray(page(), dtype=float)
    across = np.linspace(1.0, 0.4, SIZE[0])
    shaded = Image.fromarray((pixels * across).astype(np.uint8))
    even = np.asarray(straighten.evened(shaded))
    assert np.percentile(even[:, -200:], 50) > 235
    assert even[:, -200:].min() > 100
    assert np.asarray(straighten.evened(page())).tobytes() == np.asarray(page()).tobytes()
    assert even.min() < 60


def test_a_word_of_a_levelled_picture_is_marked_where_it_was():
    askew = page().rotate(1.8, Image.Resampling.BICUBIC, fillcolor=250)
    _, changed = straighten.levelled(askew)
    # The first line begins at (120, 120) of the level page, and lies lower on the askew one.
    word = PictureText("1.", 120, 120, 150, 150, 90.0, ("1", "1", "1"))
    left, top, right, bottom = scans._as_drawn(
        (120, 120, 150, 150), Read((word,), 0, SIZE, changed=changed)
    )
    x, y = straighten.was_at(changed, 135, 135)
    assert left <= x * UNITS / SIZE[0] <= right
    assert top <= y * UNITS / SIZE[1] <= bottom
    assert abs(y - 135) > 10
