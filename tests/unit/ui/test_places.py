from hypothesis import given
from hypothesis import strategies as st

from xnai.ui.pages.places import PART, part_of


def test_a_short_text_is_one_part_with_the_passage_between():
    part = part_of("The lamp is new. It flashes.", 4, 8)

    assert (part.count, part.before, part.marked, part.after) == (
        1,
        "The ",
        "lamp",
        " is new. It flashes.",
    )


def test_a_long_text_is_cut_between_paragraphs_and_opens_where_the_passage_is():
    text = "".join(f"Paragraph {number}. {'word ' * 100}\n\n" for number in range(100))
    start = text.index("Paragraph 70.")

    part = part_of(text, start, start + 13)

    assert part.marked == "Paragraph 70."
    assert 0 < part.number < part.count
    assert part.before.startswith("Paragraph ")
    assert part.after.endswith("\n\n")


@given(st.text("ab \n", max_size=50), st.integers(0, 3000), st.integers(0, 60), st.integers(0, 9))
def test_the_parts_are_the_text_whatever_is_asked_for(piece, times, start, end):
    text = piece * (1 + times % 900)
    first = part_of(text, start, end)
    parts = [part_of(text, start, end, number) for number in range(first.count)]

    assert "".join(one.before + one.marked + one.after for one in parts) == text
    assert all(len(one.before + one.marked + one.after) <= PART for one in parts)
    assert "".join(one.marked for one in parts) == text[start:end]
    assert part_of(text, start, end, 99).number == first.count - 1
