"""Lines as they stand, below answers in another language."""

from xnai.answering.reading.original import originals
from xnai.types import Citation


def cited(number: int, quote: str) -> Citation:
    return Citation(number, "d", "manual.pdf", 9, 0, len(quote), quote, 1.0)


RINSE = cited(1, "Rinse the dust filter\nevery two weeks.")


def test_the_line_is_shown_whose_words_the_answer_has_not():
    told = "Il faut nettoyer le filtre deux fois par semaine. [1]"
    assert originals(told, [RINSE]) == "\n\n> Rinse the dust filter every two weeks. [1]"


def test_an_answer_in_the_words_of_the_line_needs_none():
    assert originals("Rinse the dust filter every two weeks [1].", [RINSE]) == ""


def test_no_more_than_two_are_shown():
    lines = [RINSE, cited(2, "Empty the tank."), cited(3, "Call the workshop.")]
    assert originals("Videz-le.", lines).count("\n\n> ") == 2
