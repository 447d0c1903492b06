"""The order of Hebrew and Arabic lines by the places of their characters, and turned frames."""

import pytest

from xnai.documents.pdf import right_to_left
from xnai.documents.pdf.frame import Frame

WIDTH = 10.0


def order(visual: str) -> str:
    """The order of reading of a line as it is seen, whose characters come from left to right."""
    codes = [ord(character) for character in visual]
    found = right_to_left.ordered(codes, lambda at: (at * WIDTH, 0.0, (at + 1) * WIDTH, 12.0))
    assert [codes[index] for index in sorted(found.indices)] == codes
    return "".join(map(chr, found.codes))


@pytest.mark.parametrize(
    ("visual", "logical"),
    [
        ("םילקש 4,350", "4,350 שקלים"),
        (".2026 לירפאב 30", "30 באפריל 2026."),
        ("5-ה דע", "עד ה-5"),
        ("a@ex.org :ראוד תבותכ", "כתובת דואר: a@ex.org"),
        ("MAN 6L32 ישאר עונמ", "מנוע ראשי MAN 6L32"),
        ("12% תיביר", "ריבית 12%"),
        (")רטמ( חטש", "שטח (מטר)"),
        ("(רטמ) חטש", "שטח (מטר)"),
    ],
)
def test_a_line_that_was_drawn_from_left_to_right_is_read_from_the_right(visual, logical):
    assert order(visual) == logical


def test_a_line_of_latin_words_alone_is_left_as_it_is():
    assert order("Port of Haifa, 1933") == "Port of Haifa, 1933"


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_box_in_a_frame_leads_back_to_its_place(turns, mirrored):
    frame = Frame(turns, mirrored, (10.0, 20.0, 610.0, 820.0))
    box = (50.0, 700.0, 90.0, 715.0)

    assert frame.on_page(frame.seen(box)) == pytest.approx(box)
    left, bottom, right, top = frame.seen(box)
    assert left < right
    assert bottom < top


def test_text_that_runs_upwards_begins_at_the_left_of_its_frame():
    frame = Frame(1, bounds=(0.0, 0.0, 600.0, 800.0))

    assert frame.seen((80.0, 50.0, 95.0, 60.0)) == (50.0, 505.0, 60.0, 520.0)
