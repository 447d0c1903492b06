"""How pictures of text are made ready and judged, with an answer of tesseract's form."""

import pytest
from PIL import Image, ImageDraw

from xnai.documents.parsers import ocr
from xnai.documents.pdf import layout as pdf_layout
from xnai.documents.pdf import scans

HEAD = "level\tpage\tblock\tpar\tline\tword\tleft\ttop\twidth\theight\tconf\ttext\n"


def table(*words: tuple[str, int, int, float]) -> str:
    """What a reader says of words at places: each 90 wide and 40 high."""
    return HEAD + "".join(
        f"5\t1\t1\t1\t{top}\t{n}\t{left}\t{top}\t90\t40\t{sure}\t{text}\n"
        for n, (text, left, top, sure) in enumerate(words)
    )


def page(size: tuple[int, int] = (1200, 900)) -> Image.Image:
    picture = Image.new("L", size, 255)
    ImageDraw.Draw(picture).rectangle((10, 10, 40, 40), fill=0)
    return picture


def test_what_is_no_row_of_a_word_is_passed_over():
    read = ocr.words_of("5\t1\tx\n" + table(("word", 10, 20, 96.0), ("~", 5, 5, 30.0)) + "5\t" * 12)

    assert [(word.text, word.left, word.bottom) for word in read] == [("word", 10, 60)]


def test_lines_of_a_table_are_taken_out_and_letters_stay():
    picture = page()
    draw = ImageDraw.Draw(picture)
    draw.line((100, 200, 1100, 200), fill=0, width=3)
    draw.line((600, 100, 600, 800), fill=0, width=3)

    clean, across, down = ocr.without_rules(picture)

    assert [round(rule.at) for rule in across] == [200]
    assert [round(rule.at) for rule in down] == [600]
    assert clean.crop((90, 90, 1110, 810)).getextrema() == (255, 255)
    assert clean.getpixel((20, 20)) == 0


def test_the_surer_reading_is_taken_where_figures_are_in_doubt():
    asked = []

    def recognise(_: bytes, by: str) -> str:
        asked.append(by)
        sure, text = (40.0, "71") if by == ocr.TESSERACT else (99.0, "7.1")
        words = [("Iron", 10, 20, 96.0), ("content", 110, 20, 96.0), ("of", 210, 20, 96.0)]
        return table(*words, (text, 310, 20, sure))

    read = ocr.read(page(), recognise, (ocr.TESSERACT, ocr.MODELS))

    assert [word.text for word in read.words][-1] == "7.1"
    assert asked == [ocr.TESSERACT, ocr.MODELS]


def test_what_is_read_in_the_shadows_of_a_photo_is_no_text():
    def recognise(*_: object) -> str:
        return table(("—_", 10, 20, 70.0), ("ge", 9, 90, 61.0), ("+", 50, 200, 65.0))

    assert ocr.read(page(), recognise, (ocr.TESSERACT,)).words == ()


@pytest.mark.parametrize(
    ("turn", "box"),
    [
        (0, (1000, 1000, 2000, 2000)),
        (90, (1000, 8000, 2000, 9000)),
        (180, (8000, 8000, 9000, 9000)),
        (270, (8000, 1000, 9000, 2000)),
    ],
)
def test_a_word_is_marked_where_it_stands_in_the_picture_as_it_is_drawn(turn, box):
    word = ocr.PictureText("word", 100, 50, 200, 100, 90.0, ("1", "1", "1"))
    read = ocr.Read((word,), turn, (1000, 500))
    layout = scans.layout_of(read, 1.0)
    text, _ = pdf_layout.written(layout, None)

    (placed,) = scans.placed(read, layout, text)

    assert placed[2:6] == box
    assert text.text[placed.start : placed.end] == "word"
