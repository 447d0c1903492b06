"""Who is answered next, who waits how long, and that no place is ever lost."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from rig.waiting import PATIENCE
from xnai.errors import XnaiError
from xnai.llm.engine.admission import Admission, QueuePosition
from xnai.llm.engine.estimates import Rates, Work
from xnai.llm.ipc import Figures

FIGURES = Figures(50, 10, 0, prefill_seconds=2.0, decode_seconds=5.0)
WORK = Work(100, 10)  # 7 seconds by these figures


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def measured() -> Rates:
    rates = Rates()
    rates.observe(WORK, FIGURES)
    return rates


def order(admission: Admission, tickets: dict[str, object]) -> list[str]:
    """Names in the order in which they have their turns when each ends before the next."""
    found: list[str] = []
    left = dict(tickets)
    while left:
        name = next(n for n, t in left.items() if t.begun is not None)
        found.append(name)
        admission.leave(left.pop(name))
    return found


async def test_as_many_as_there_are_slots_have_their_turn_at_once():
    admission = Admission(9, Rates(), slots=2)
    tickets = [admission.join("a", WORK) for _ in range(4)]
    assert [admission.place(t).position for t in tickets] == [0, 0, 1, 2]


async def test_turns_of_one_user_come_in_the_order_of_arrival():
    admission = Admission(9, Rates())
    tickets = {name: admission.join("a", WORK) for name in "xyz"}
    assert order(admission, tickets) == ["x", "y", "z"]


async def test_a_newcomer_comes_before_the_second_request_of_the_user_under_way():
    admission = Admission(9, Rates())
    tickets = {f"a{n}": admission.join("a", WORK) for n in range(3)}
    tickets |= {f"b{n}": admission.join("b", WORK) for n in range(2)}
    assert order(admission, tickets) == ["a0", "b0", "a1", "b1", "a2"]


async def test_a_stream_of_newcomers_keeps_nobody_waiting_for_ever():
    admission = Admission(99, Rates())
    tickets = {f"a{n}": admission.join("a", WORK) for n in range(2)}
    found = []
    for number in range(5):
        name = f"new{number}"
        tickets[name] = admission.join(name, WORK)
        done = next(n for n, t in tickets.items() if t.begun is not None)
        found.append(done)
        admission.leave(tickets.pop(done))
    assert found[:3] == ["a0", "new0", "a1"]


async def test_places_go_to_whoever_has_the_fewest_under_way():
    admission = Admission(9, Rates(), slots=3)
    busy = [admission.join("a", WORK) for _ in range(4)]
    other = [admission.join("b", WORK) for _ in range(2)]
    admission.leave(busy[0])
    assert [t.begun is not None for t in [busy[3], *other]] == [False, True, False]


async def test_who_leaves_the_queue_moves_those_behind():
    admission = Admission(9, Rates())
    first, second, third = (admission.join("a", WORK) for _ in range(3))
    third.moved.clear()
    waiter = asyncio.create_task(admission.moved(third, 60))
    await asyncio.sleep(0)
    admission.leave(second)
    await asyncio.wait_for(waiter, 30)
    assert admission.place(third).position == 1
    assert admission.place(first).position == 0


async def test_leaving_twice_frees_one_place():
    admission = Admission(9, Rates())
    first, second, third = (admission.join("a", WORK) for _ in range(3))
    admission.leave(first)
    admission.leave(first)
    assert [admission.place(t).position for t in (second, third)] == [0, 1]


async def test_a_full_queue_refuses_with_the_time_until_there_is_room():
    clock = Clock()
    admission = Admission(1, measured(), clock=clock)
    admission.join("a", WORK)
    admission.join("b", WORK)
    clock.now = 3.0
    with pytest.raises(XnaiError) as caught:
        admission.join("b", WORK)
    assert (caught.value.code, caught.value.retry_after) == ("queue_full", 4.0)
    assert admission.waiting == 1


async def test_a_free_place_is_given_whatever_the_limit():
    admission = Admission(1, Rates(), slots=3)
    tickets = [admission.join("a", WORK) for _ in range(3)]
    assert {admission.place(t).position for t in tickets} == {0}


async def test_estimates_play_the_real_order_through():
    clock = Clock()
    admission = Admission(9, measured(), slots=2, clock=clock)
    admission.join("a", WORK)
    clock.now = 1.0
    admission.join("a", Work(100, 4))  # 4 seconds
    waiting = [admission.join("a", WORK), admission.join("b", WORK), admission.join("a", WORK)]
    places = [admission.place(t) for t in waiting]
    # At 5 the second ends, b goes first; at 7 the first ends; b would end at 12.
    assert places == [QueuePosition(2, 6.0), QueuePosition(1, 4.0), QueuePosition(3, 11.0)]


async def test_estimates_come_true():
    clock = Clock()
    admission = Admission(20, measured(), slots=2, clock=clock)
    tickets = [admission.join(user, WORK) for user in "aaabbcad"]
    clock.now = 2.0
    expected = {
        t: clock.now + (admission.place(t).eta_seconds or 0) for t in tickets if not t.begun
    }
    ends = {t: 7.0 for t in tickets if t.begun is not None}
    while ends:
        ticket = min(ends, key=lambda t: (ends[t], t.number))
        clock.now = ends.pop(ticket)
        admission.leave(ticket)
        for other in tickets:
            if other.begun == clock.now and other not in ends and not other.ended:
                ends[other] = clock.now + 7.0
    begun = {t: t.begun for t in expected if t.begun}
    assert {t: expected[t] for t in begun} == begun
    assert admission.running == admission.waiting == 0


async def test_an_estimate_counts_down_while_one_waits():
    clock = Clock()
    admission = Admission(9, measured(), clock=clock)
    admission.join("a", WORK)
    second = admission.join("b", WORK)
    seen = []
    for clock.now in (0.0, 2.0, 4.0):
        seen.append(admission.place(second).eta_seconds)
    assert seen == [7.0, 5.0, 3.0]


async def test_waiting_ends_by_itself_so_that_the_estimate_can_be_renewed():
    admission = Admission(9, Rates())
    admission.join("a", WORK)
    second = admission.join("b", WORK)
    second.moved.clear()
    await asyncio.wait_for(admission.moved(second, 0.01), PATIENCE)
    assert admission.place(second) == QueuePosition(1, None)


async def test_a_hold_lets_those_under_way_end_and_keeps_the_queue():
    admission = Admission(9, Rates())
    first, second = admission.join("a", WORK), admission.join("b", WORK)
    seen = []

    async def switch() -> None:
        async with admission.hold():
            seen.append((admission.running, second.begun))

    switching = asyncio.create_task(switch())
    await asyncio.sleep(0)
    assert seen == []
    admission.leave(first)
    await asyncio.wait_for(switching, PATIENCE)
    assert seen == [(0, None)]
    assert second.begun is not None


async def test_more_slots_are_given_out_at_once_and_fewer_when_they_are_free():
    admission = Admission(9, Rates())
    tickets = [admission.join("a", WORK) for _ in range(4)]
    admission.resize(3)
    assert admission.running == 3
    admission.resize(1)
    admission.leave(tickets[0])
    assert (admission.running, admission.place(tickets[3]).position) == (2, 1)


async def test_a_closed_queue_sends_everyone_away():
    admission = Admission(9, Rates())
    admission.join("a", WORK)
    second = admission.join("a", WORK)
    admission.close()
    await asyncio.wait_for(admission.moved(second, 60), 30)
    with pytest.raises(XnaiError, match="shutting down"):
        admission.place(second)


async def test_how_many_answers_shared_the_machine_is_an_average_over_time():
    clock = Clock()
    admission = Admission(9, Rates(), slots=2, clock=clock)
    first = admission.join("a", WORK)
    clock.now = 5.0
    admission.join("b", WORK)
    clock.now = 10.0
    assert admission.at_once(first) == 1.5


def test_decoding_beside_others_is_measured_apart():
    rates = Rates()
    rates.observe(WORK, FIGURES, 1.0)
    rates.observe(WORK, replace(FIGURES, decode_seconds=20.0), 7.8)
    assert [rates.seconds(WORK, n) for n in (1, 2, 6, 8)] == [7.0, 7.0, 22.0, 22.0]


def test_without_measurements_there_is_no_estimate():
    assert Rates().seconds(WORK) is None


class Queue(RuleBasedStateMachine):
    """Whatever people do: places, order and estimates hold, and nothing is left behind."""

    tickets = Bundle("tickets")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.slots = 2
        self.admission = Admission(6, measured(), self.slots, self.clock)
        self.waiting: list[object] = []
        self.running: list[object] = []
        self.begun: list[object] = []

    @rule(target=tickets, user=st.sampled_from("abcd"), characters=st.integers(0, 999))
    def join(self, user, characters):
        work = Work(characters, 50)
        own = sum(ticket.user == user for ticket in self.waiting)
        if len(self.running) >= self.slots and own >= 2 * 6 - len(self.waiting):
            with pytest.raises(XnaiError) as caught:
                self.admission.join(user, work)
            assert caught.value.code == "queue_full"
            assert caught.value.retry_after > 0
            return None
        ticket = self.admission.join(user, work)
        self.waiting.append(ticket)
        self._note_turns()
        return ticket

    @rule(ticket=consumes(tickets))
    def leave(self, ticket):
        if ticket is None:
            return
        self.admission.leave(ticket)
        for group in (self.running, self.waiting):
            if ticket in group:
                group.remove(ticket)
        self._note_turns()

    @rule(slots=st.integers(1, 4))
    def resize(self, slots):
        self.slots = slots
        self.admission.resize(slots)
        self._note_turns()

    @rule(seconds=st.floats(0, 20))
    def wait(self, seconds):
        self.clock.now += seconds

    def _note_turns(self) -> None:
        for ticket in [t for t in self.waiting if t.begun is not None]:
            self.waiting.remove(ticket)
            self.running.append(ticket)
            self.begun.append(ticket)

    @invariant()
    def every_ticket_is_in_one_place(self):
        assert (len(self.running), len(self.waiting)) == (
            self.admission.running,
            self.admission.waiting,
        )

    @invariant()
    def no_place_is_free_while_somebody_waits(self):
        assert not self.waiting or len(self.running) >= self.slots

    @invariant()
    def positions_count_from_one_and_estimates_rise_with_them(self):
        places = sorted(
            (self.admission.place(t) for t in self.waiting), key=lambda place: place.position
        )
        assert [place.position for place in places] == list(range(1, len(places) + 1))
        estimates = [place.eta_seconds for place in places]
        assert estimates == sorted(estimates)
        assert all(estimate >= 0 for estimate in estimates)

    @invariant()
    def of_one_user_the_first_come_is_the_first_served(self):
        for user in "abcd":
            numbers = [t.number for t in self.begun if t.user == user]
            assert numbers == sorted(numbers)

    def teardown(self):
        for ticket in [*self.running, *self.waiting]:
            self.admission.leave(ticket)
        assert (self.admission.running, self.admission.waiting) == (0, 0)
        assert not self.admission._queues
        assert not self.admission._running_of


class Fairness(RuleBasedStateMachine):
    """With one place, nobody is overtaken twice by one user."""

    def __init__(self) -> None:
        super().__init__()
        self.admission = Admission(30, Rates())
        self.open: list[object] = []
        self.overtaken: dict[object, set[str]] = {}

    @rule(user=st.sampled_from("abcdef"))
    def join(self, user):
        if len(self.open) < 30:
            self.open.append(self.admission.join(user, WORK))

    @rule()
    def end_a_turn(self):
        running = next((t for t in self.open if t.begun is not None), None)
        if running is None:
            return
        self.open.remove(running)
        heads = {}
        for ticket in self.open:
            heads.setdefault(ticket.user, ticket)
        self.admission.leave(running)
        chosen = next((t for t in self.open if t.begun is not None), None)
        for head in heads.values():
            if chosen is not None and head is not chosen:
                assert chosen.user not in self.overtaken.setdefault(head, set())
                self.overtaken[head].add(chosen.user)


TestQueue = Queue.TestCase
TestFairness = Fairness.TestCase
TestQueue.settings = TestFairness.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None
)
