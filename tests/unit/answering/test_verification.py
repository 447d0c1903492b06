"""What the program decides of a claim by itself, and what it believes of a model's word."""

import pytest

from xnai.answering.reading.lines import make_sheet
from xnai.answering.verification import question
from xnai.answering.verification.claim import Statement
from xnai.answering.verification.evidence import candidates, of_another_name
from xnai.answering.verification.figures import is_replaced
from xnai.answering.verification.verdict import by_model, by_words
from xnai.types import PageText, TokenLogprob

LEASE = PageText(
    "d" * 32,
    "lease.txt",
    1,
    1,
    "# Lease of hall 3\n\n"
    "4 Rent\n"
    "4.1 The monthly rent is 4,650 euros, payable on the third working day.\n"
    "4.2 Either party may end the lease with six months' notice.\n"
    "5 Use\n"
    "5.1 Dogs are not allowed in the hall.\n"
    "5.2 The crane carries twenty-four tonnes. It was built by Norwick Cranes in 1987.\n"
    "5.3 Keys are handed over on 1 June 2025.\n",
)
INVOICES = [
    PageText(
        "e" * 32, "invoices.txt", 2, at, f"Invoice {number}\nCustomer: {who}\nTotal due: {due}"
    )
    for at, number, who, due in (
        (1, 10041, "Tarn Mills", "476.59 EUR"),
        (2, 10042, "Holm Bakery", "520.62 EUR"),
    )
]


def best_of(claim, pages=(LEASE,)):
    found = candidates(Statement(claim), make_sheet(pages).lines, [])
    return found[0], found[1:4]


@pytest.mark.parametrize(
    ("claim", "sentence"),
    [
        ("The monthly rent of hall 3 is 4,650 euros.", "4.1 The monthly rent"),
        ("The rent is 4650 euros a month.", "4.1 The monthly rent"),
        ("Dogs are not allowed.", "5.1 Dogs"),
        ("The crane carries 24 tonnes.", "5.2 The crane carries"),
        ("It was built in 1987 by Norwick Cranes.", "It was built"),
        ("Either party may end the lease with notice of six months.", "4.2 Either party"),
    ],
)
def test_a_sentence_that_says_all_of_a_claim_supports_it(claim, sentence):
    best, _ = best_of(claim)
    assert best.line.text.startswith(sentence)
    assert by_words(Statement(claim), best) == "supports"
    citation = best.line.citation(1)
    assert LEASE.text[citation.start : citation.end] == citation.quote


@pytest.mark.parametrize(
    "claim",
    [
        "The monthly rent is 4,560 euros.",
        "Either party may end the lease with three months' notice.",
        "The crane carries twenty tonnes.",
        "It was built by Norwick Cranes in 1978.",
        "Keys are handed over on 1 May 2025.",
    ],
)
def test_another_figure_in_the_place_of_a_claims_contradicts_it(claim):
    best, _ = best_of(claim)
    assert by_words(Statement(claim), best) == "contradicts"


@pytest.mark.parametrize("claim", ["Dogs are allowed in the hall.", "The hall has a new roof."])
def test_what_is_said_otherwise_or_not_is_left_to_the_model(claim):
    best, _ = best_of(claim)
    assert by_words(Statement(claim), best) is None


def test_a_page_about_another_number_says_nothing_of_this_one():
    for claim, verdict in (
        ("The total due of invoice 10042 is 520.62 EUR.", "supports"),
        ("The total due of invoice 10041 is 520.62 EUR.", "contradicts"),
        ("The customer of invoice 10060 is Tarn Mills.", "none"),
    ):
        best, _ = best_of(claim, INVOICES)
        assert by_words(Statement(claim), best) == verdict


def test_a_thing_of_another_name_contradicts_a_claim_that_only_names_it():
    sheet = PageText(
        "a" * 32, "job.txt", 1, 1, "Job 7\n\nEngineer: Per Ostby.\nContact: Ida Fjell."
    )

    def named(text: str) -> str:
        claim = Statement(text)
        found = of_another_name(claim, candidates(claim, make_sheet([sheet]).lines, []))
        return "" if found is None else found.line.text

    assert named("The engineer was Ida Fjell.") == "Engineer: Per Ostby."
    assert named("The engineer was Per Ostby.") == ""
    assert named("Ida Fjell asked for an engineer to come at once.") == ""
    assert named("The engineer came late.") == ""


def test_a_model_is_not_believed_where_a_figure_or_a_name_is_missing():
    claim = Statement("The crane was bought from Sund Cranes.")
    best, others = best_of(claim.text)
    assert by_model(claim, best, others, 0.99, 0.01) == "none"
    claim = Statement("The hall has 40 windows.")
    best, others = best_of(claim.text)
    assert by_model(claim, best, others, 0.99, 0.01) == "none"


def test_a_model_is_hardly_believed_where_only_one_of_the_two_denies_something():
    claim = Statement("Dogs are allowed in the hall.")
    best, others = best_of(claim.text)
    assert by_model(claim, best, others, 0.7, 0.2) == "contradicts"
    assert by_model(claim, best, others, 0.7, 0.1) == "none"
    assert by_model(claim, best, others, 0.9, 0.1) == "supports"


def test_what_is_asked_and_what_is_nearly_the_same_word_says_nothing():
    page = PageText("f" * 32, "fares.txt", 1, 1, "Do dogs travel free?\nNitrite: limit 0.5 mg/L.")
    for text in ("Dogs travel free.", "The limit for nitrate is 5 mg/L."):
        found = candidates(Statement(text), make_sheet([page]).lines, [])
        assert all(by_words(Statement(text), one) != "supports" for one in found)


def test_a_model_is_believed_about_the_same_matter_sooner_than_about_another():
    claim = Statement("Dogs are welcome in the hall.")
    best, others = best_of(claim.text)
    assert by_model(claim, best, others, 0.1, 0.6) == "contradicts"
    assert by_model(claim, best, others, 0.7, 0.1) == "supports"
    assert by_model(claim, best, others, 0.3, 0.3) == "none"
    claim = Statement("The crane has a yellow cabin with seats.")
    best, others = best_of(claim.text)
    assert by_model(claim, best, others, 0.6, 0.1) == "none"
    assert by_model(claim, best, others, 0.1, 0.6) == "none"


@pytest.mark.parametrize(
    ("claim", "sentence", "replaced"),
    [
        ("It weighs 14.1 tonnes.", "Weight: 11.4", True),
        ("It weighs 14.1 tonnes.", "Length: 11.4 metres", False),
        ("Serial 88-1402", "radar, serial 88-1204", True),
        ("It has forty employees.", "1.1 The supplier", False),
        ("It began in 1924.", "It was founded in 1911, and renamed in 1924.", False),
        ("It opens at 5 euros for 3 persons.", "It costs 5 euros.", False),
        ("Due on March 3", "Due on 4 March", True),
        ("Due on 4 March 2025", "Due on 4 March", False),
    ],
)
def test_figures_of_one_kind_stand_in_each_others_place(claim, sentence, replaced):
    assert is_replaced(claim, sentence) == replaced


def test_the_words_of_the_model_are_weighed_beside_each_other():
    others = [(" False", -1.5), ("unknown", -2.5), ("The", -3.0)]
    alternatives = tuple(TokenLogprob(text, b"", logprob) for text, logprob in others)
    true, false = question.said([TokenLogprob("True", b"", -0.5, alternatives)])
    assert 0.6 < true < 0.7
    assert 0.2 < false < 0.3
    assert question.said([]) == question.said(alternatives[2:]) == (0.0, 0.0)


@pytest.mark.parametrize("text", ["", "x" * 1000, "1 " * 500, "no " * 300, "\ud800 [1] \x00"])
def test_any_claim_can_be_looked_at(text):
    claim = Statement(text)
    for one in candidates(claim, make_sheet([LEASE]).lines, []):
        by_words(claim, one)
