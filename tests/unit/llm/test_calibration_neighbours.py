"""Whether the machine is quiet enough to measure a model."""

from types import SimpleNamespace

import pytest

from xnai.llm.calibration import neighbours
from xnai.llm.calibration.neighbours import Neighbours


@pytest.fixture
def machine(monkeypatch):
    """A machine of two cores whose processor times and clock are set by hand."""
    state = SimpleNamespace(user=1000.0, system=0.0, nice=0.0, steal=0.0, now=50.0)
    monkeypatch.setattr(neighbours.psutil, "cpu_times", lambda: state)
    monkeypatch.setattr(neighbours.time, "monotonic", lambda: state.now)
    monkeypatch.setattr(neighbours.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(neighbours, "_own", lambda: state.own)
    state.own = 10.0
    return state


def passed(machine, seconds, *, own=0.0, others=0.0):
    machine.now += seconds
    machine.own += own
    machine.user += own + others


def test_the_first_look_knows_nothing_and_is_no_leave(machine):
    passed(machine, 5)
    assert Neighbours(threads=2).too_busy()


def test_own_work_does_not_count_and_that_of_others_does(machine):
    neighbours = Neighbours(threads=2)
    neighbours.too_busy()
    passed(machine, 5, own=10)
    assert not neighbours.too_busy()
    passed(machine, 5, own=5, others=1)
    assert not neighbours.too_busy()
    passed(machine, 5, own=5, others=2)
    assert neighbours.too_busy()
    passed(machine, 5)
    assert not neighbours.too_busy()


def test_other_guests_of_the_host_count(machine):
    neighbours = Neighbours(threads=2)
    neighbours.too_busy()
    machine.now += 5
    machine.steal += 4
    assert neighbours.too_busy()


def test_cores_that_the_model_does_not_use_are_anyones(machine):
    neighbours = Neighbours(threads=1)
    neighbours.too_busy()
    passed(machine, 5, own=5, others=5)
    assert not neighbours.too_busy()
    passed(machine, 5, own=3, others=7)
    assert neighbours.too_busy()


def test_the_real_times_of_this_process_are_its_own():
    before = neighbours._own()
    sum(range(2_000_000))
    assert neighbours._own() > before
