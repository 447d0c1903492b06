"""A probe on a hidden state: what it makes of any numbers, and whose it is."""

import math

import numpy as np
import pytest

from xnai.answering.reading.answerability import AFTER, LinearProbe, probe_of
from xnai.answering.reading.lines import make_sheet
from xnai.answering.reading.telling import Telling
from xnai.llm.protocol import StateRequest
from xnai.types import PageText

CAPABLE = "qwen2.5-coder-1.5b-instruct-q4_k_m"


def probe(*weights: float, bias: float = 0.0) -> LinearProbe:
    return LinearProbe(StateRequest(3, AFTER), np.array(weights, np.float32), bias)


def test_what_points_along_the_weights_is_likely_whatever_its_length():
    one = probe(2.0, 0.0, 0.0)
    assert one.logit((1.0, 0.1, 0.0)) == pytest.approx(one.logit((50.0, 5.0, 0.0)))
    assert one.logit((1.0, 0.1, 0.0)) > 3
    assert one.logit((-1.0, 0.1, 0.0)) < -3


def test_the_bias_decides_where_the_weights_do_not():
    assert probe(1.0, 0.0, bias=2.0).logit((0.0, 1.0)) == pytest.approx(2.0)


@pytest.mark.parametrize(
    "state", [(), (1.0,), (0.0, 0.0), (math.nan, 1.0), (math.inf, 1.0), (1.0, 2.0, 3.0)]
)
def test_a_state_that_is_none_of_the_model_says_nothing(state):
    assert probe(1.0, 1.0).logit(state) is None


def test_a_probe_belongs_to_one_model():
    found = probe_of(CAPABLE)
    assert found is not None
    assert found.weights.shape == (1536,)
    assert 0 < found.request.layer < 28
    assert probe_of(CAPABLE.upper()) is found or probe_of(CAPABLE.upper()) is not None
    assert probe_of("SmolLM2-135M-Instruct") is None
    assert probe_of("../" + CAPABLE) is None


@pytest.mark.parametrize(("logit", "outcome"), [(2.0, "answered"), (-1.5, "quoted")])
def test_a_statement_without_a_source_is_doubted_as_one_with_it(logit, outcome):
    page = PageText("d1", "letter.pdf", 1, 1, "He comes back after 18 August.\nBring this letter.")
    telling = Telling("When is he due?", make_sheet([page]))
    telling.doubt.probed(logit)
    shown = [*telling.feed("Source:\nAnswer: After 18 August he comes back."), *telling.finish()]
    assert telling.outcome == outcome
    assert ("> He comes back" in "".join(shown)) == (outcome == "quoted")
