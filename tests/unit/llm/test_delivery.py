"""Whether an answer that failed is begun again."""

import time

import pytest

from xnai.errors import MODEL_CRASHED, XnaiError
from xnai.llm.delivery import Delivery
from xnai.llm.protocol import Queued, TokenText


def crash(retry_after: float | None = None) -> XnaiError:
    return XnaiError(MODEL_CRASHED, retry_after=retry_after, reason="it was killed")


def test_an_answer_of_which_nothing_was_shown_may_be_begun_again():
    delivery = Delivery(TokenText)
    delivery.see(Queued(1))

    delivery.failed(crash(), curable=True)

    assert delivery.failures == 1


def test_what_was_shown_is_never_shown_again():
    delivery = Delivery(TokenText)
    delivery.see(TokenText("In"))

    with pytest.raises(XnaiError, match="it was killed"):
        delivery.failed(crash(), curable=True)


def test_text_that_is_held_until_it_is_whole_was_not_shown():
    delivery = Delivery(None)
    delivery.see(TokenText("In"))

    delivery.failed(crash(), curable=True)


def test_what_another_attempt_does_not_cure_is_raised():
    with pytest.raises(XnaiError, match="it was killed"):
        Delivery(TokenText).failed(crash(), curable=False)


def test_there_are_only_so_many_attempts():
    delivery = Delivery(TokenText)
    delivery.failed(crash(), curable=True, attempts=3)
    delivery.failed(crash(), curable=True, attempts=3)

    with pytest.raises(XnaiError, match="it was killed"):
        delivery.failed(crash(), curable=True, attempts=3)


def test_the_same_one_is_asked_again_when_it_says_that_it_may_be():
    delivery = Delivery(None, time.monotonic() + 60)

    ready = delivery.again_at(crash(retry_after=5), curable=True, attempts=2, patience=6)

    assert 4 < ready - time.monotonic() <= 5


@pytest.mark.parametrize(("deadline", "patience"), [(60, 4), (3, 6)])
def test_a_wait_beyond_patience_or_deadline_is_not_begun(deadline, patience):
    delivery = Delivery(None, time.monotonic() + deadline)

    with pytest.raises(XnaiError, match="it was killed"):
        delivery.again_at(crash(retry_after=5), curable=True, attempts=2, patience=patience)
