"""The state machine by itself: no clock, no task, no store."""

import ast
import itertools

import pytest
from paths import ROOT

from xnai.resilience.circuit import TRANSITIONS, Circuit, OpeningCause
from xnai.resilience.config import Config
from xnai.resilience.state_machine import StateMachine
from xnai.resilience.states import Snapshot, State
from xnai.resilience.window import Window

PACKAGE = ROOT / "xnai" / "resilience"
OWN = (State.CLOSED, State.OPEN, State.HALF_OPEN)
CONFIG = Config(streak=1, open_time=5.0, probes=2, half_open_longest=60.0)


def circuit_in(state):
    it = Circuit(CONFIG, chance=lambda: 0.0)
    if state is not State.CLOSED:
        it.open(0.0, "it failed")
    if state is State.HALF_OPEN:
        it.release(it.acquire(5.0), "returned", 5.0, "")
    assert it.state is state
    return it


ACTS = {
    OpeningCause.FAILED: lambda it: it.open(9.0, "it failed"),
    OpeningCause.ADOPTED: lambda it: it.adopt(9.0, 3, "the fleet was open"),
    OpeningCause.DUE: lambda it: it.acquire(100.0),
    OpeningCause.SUCCEEDED: lambda it: it.close("the probes succeeded"),
    OpeningCause.RESET: lambda it: it.reset(),
}


@pytest.mark.parametrize(("state", "cause"), [*itertools.product(OWN, OpeningCause)])
def test_a_circuit_moves_by_its_table_and_not_otherwise(state, cause):
    it = circuit_in(state)
    epoch, wanted = it.epoch, TRANSITIONS.get((state, cause))

    ACTS[cause](it)

    assert it.state is (wanted or state)
    assert it.epoch == epoch + (wanted is not None)


@pytest.mark.parametrize("state", OWN)
def test_every_transition_makes_tickets_void(state):
    it = circuit_in(State.HALF_OPEN)
    ticket = it.acquire(5.0)
    {State.CLOSED: it.reset, State.OPEN: lambda: it.open(6.0, ""), State.HALF_OPEN: lambda: None}[
        state
    ]()

    assert it.release(ticket, "returned", 7.0, "") is (state is State.HALF_OPEN)


def machine(circuit, fleet, *, away):
    """A machine of a replica that follows a fleet."""
    told = []
    it = StateMachine("dep", CONFIG, 0.0, told.append, chance=lambda: 0.0)
    it.follow(0.0, away=away)
    it.synced(0.0)
    it.fleet = Snapshot(fleet, epoch=7, until=50.0)
    if circuit is not State.CLOSED:
        it.circuit.open(0.0, "my own")
    if circuit is State.HALF_OPEN:
        it.circuit.release(it.circuit.acquire(5.0), "returned", 5.0, "")
    it.store_moved(6.0, away=away)
    return it, told


@pytest.mark.parametrize("away", [False, True], ids=["there", "away"])
@pytest.mark.parametrize(("fleet", "circuit"), [*itertools.product(State, OWN)])
def test_who_rules_is_as_the_table_says(fleet, circuit, away):
    it, told = machine(circuit, fleet, away=away)

    if fleet is State.CLOSED:
        own = circuit is not State.CLOSED
    else:
        own = fleet in OWN and away and circuit is not State.CLOSED
    assert it.scope == ("replica" if own else "fleet")
    assert it.state is (circuit if own else fleet)
    assert [one.new for one in told] == ([] if it.state is State.CLOSED else [it.state])
    assert it.shut is (it.state is not State.CLOSED)


def test_the_same_inputs_bring_the_same_states_whenever_they_are_put_in():
    def run():
        told = []
        it = StateMachine("dep", CONFIG, 100.0, told.append, chance=lambda: 0.0)
        it.window.add(101.0, failed=True)
        it.weigh(it.window, 101.0, "it failed")
        for now in (105.9, 106.0, 106.1):
            if (ticket := it.acquire(now)) is not None:
                it.release(ticket, "succeeded", now, "the probes succeeded")
        return told

    first = run()
    assert [one.new for one in first] == [State.OPEN, State.HALF_OPEN, State.CLOSED]
    assert [one.seconds for one in first] == pytest.approx([1.0, 5.0, 0.1])
    assert first == run()


def test_an_older_snapshot_changes_nothing():
    told = []
    it = StateMachine("dep", CONFIG, 0.0, told.append)
    it.apply(Snapshot(State.OPEN, epoch=3, revision=5, until=9.0), 1.0)
    it.apply(Snapshot(State.CLOSED, epoch=3, revision=4), 2.0)

    assert it.state is State.OPEN
    assert len(told) == 1


def test_what_ended_in_an_older_window_is_not_weighed():
    it = StateMachine("dep", CONFIG, 0.0, lambda _: None)
    old = Window(30.0, 0.0)
    old.add(1.0, failed=True)

    assert not it.weigh(old, 1.0, "")
    assert it.state is State.CLOSED


@pytest.mark.parametrize("name", ["state_machine", "circuit"])
def test_it_reads_no_clock_awaits_nothing_and_knows_nobody_who_asks_it(name):
    tree = ast.parse((PACKAGE / f"{name}.py").read_text("utf-8"))
    imported = {
        found.split(".")[-1]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for found in [getattr(node, "module", None) or node.names[0].name]
    }
    assert imported <= {
        *("abc", "enum", "math", "random"),
        *("circuit", "config", "events", "states", "store", "window"),
    }
    assert not any(isinstance(node, ast.AsyncFunctionDef | ast.Await) for node in ast.walk(tree))
