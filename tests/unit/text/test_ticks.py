"""Boxes that are written as text."""

import pytest

from xnai.text.ticks import ticks_in_words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Warranty work: [ ] yes [x] no", "Warranty work: no (not yes)"),
        ("Warranty: [X] yes, [ ] no; Paid", "Warranty: yes (not no); Paid"),
        ("\u2612 Ja \u2610 Nein", "Ja (not Nein)"),
        ("Size: [ ] small [x] large [ ] huge.", "Size: large (not small, huge)."),
        ("[] a [x] b [x] c", "b, c (not a)"),
        ("[x] yes", "[x] yes"),
        ("[ ] yes [ ] no", "[ ] yes [ ] no"),
        ("[1] yes [2] no", "[1] yes [2] no"),
        ("grid[0][x]", "grid[0][x]"),
        ("no boxes", "no boxes"),
    ],
)
def test_what_is_ticked_is_said(text, said):
    assert ticks_in_words(text) == said
