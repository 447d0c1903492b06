"""Who is next, and how long it takes."""

import asyncio

import pytest

from xnai.errors import XnaiError
from xnai.llm.turns import Rates, Turns, Work

FIGURES = {"completion_tokens": 10, "prefill_seconds": 2.0, "decode_seconds": 5.0}


async def test_the_first_has_its_turn_at_once():
    turns = Turns(1, Rates())
    with turns.join(Work()) as ticket:
        assert turns.position(ticket) == 0


async def test_turns_come_in_the_order_of_arrival():
    turns = Turns(9, Rates())
    with turns.join(Work()), turns.join(Work()) as second, turns.join(Work()) as third:
        assert [turns.position(second), turns.position(third)] == [1, 2]


async def test_who_leaves_the_queue_moves_those_behind():
    turns = Turns(9, Rates())
    with turns.join(Work()):
        second = turns.join(Work())
        second.__enter__()
        with turns.join(Work()) as third:
            third.moved.clear()
            waiter = asyncio.create_task(turns.wait_move(third))
            second.__exit__(None, None, None)
            await asyncio.wait_for(waiter, 1)
            assert turns.position(third) == 1


async def test_a_full_queue_refuses_with_the_time_to_wait():
    rates = Rates()
    rates.observe(Work(100, 10), FIGURES)
    turns = Turns(1, rates)
    with turns.join(Work(100, 10)), turns.join(Work(100, 10)):
        with pytest.raises(XnaiError) as caught, turns.join(Work()):
            pass
        assert (caught.value.code, round(caught.value.retry_after)) == ("queue_full", 14)


async def test_a_switch_of_models_goes_before_those_who_wait():
    turns = Turns(1, Rates())
    with turns.join(Work()), turns.join(Work()) as question, turns.join(Work(), first=True):
        assert turns.position(question) == 2


async def test_estimates_come_from_what_was_measured():
    rates = Rates()
    rates.observe(Work(100, 10), FIGURES)
    turns = Turns(9, rates)
    with turns.join(Work(100, 4)), turns.join(Work(50, 99)), turns.join(Work()) as third:
        assert pytest.approx(turns.eta(third), abs=0.1) == 2 + 4 * 0.5 + 1 + 10 * 0.5


async def test_without_measurements_there_is_no_estimate():
    turns = Turns(9, Rates())
    with turns.join(Work()), turns.join(Work()) as second:
        assert turns.eta(second) is None


async def test_a_closed_queue_sends_everyone_away():
    turns = Turns(9, Rates())
    with turns.join(Work()), turns.join(Work()) as second:
        turns.close()
        await asyncio.wait_for(turns.wait_move(second), 1)
        with pytest.raises(XnaiError, match="shutting down"):
            turns.position(second)
