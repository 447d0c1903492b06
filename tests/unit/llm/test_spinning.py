"""How long threads spin, on machines whose neighbours come and go."""

import pytest

from xnai.llm.worker.spinning import Spinning


class FakeCrowd:
    """Stands in for threads of OpenMP."""

    available = True

    def __init__(self) -> None:
        self.gathered = False

    def gather(self) -> None:
        self.gathered = True

    def disperse(self) -> None:
        self.gathered = False


class Machine:
    """One whose steps take so many seconds: ``long`` and ``brief`` when they spin so."""

    def __init__(self) -> None:
        self.crowd = FakeCrowd()
        self.spinning = Spinning(self.crowd)
        self.long, self.brief = 1.0, 1.2

    def steps(self, count, kind=(1, False)):
        """Make steps; returns how many seconds they took in all."""
        total = 0.0
        for _ in range(count):
            seconds = self.brief if self.crowd.gathered else self.long
            total += seconds
            self.spinning.measured(kind, seconds)
        return total


def test_alone_on_the_machine_threads_spin_long():
    machine = Machine()
    assert machine.steps(3000) < 3000 * 1.02
    assert not machine.spinning.brief


@pytest.mark.parametrize("slower", [1.5, 10.0])
def test_beside_a_busy_neighbour_they_spin_for_a_moment(slower):
    machine = Machine()
    machine.steps(500)
    machine.long, machine.brief = slower, 1.2
    machine.steps(40)
    assert machine.spinning.brief
    assert machine.steps(3000) < 3000 * 1.2 * 1.05


def test_beside_neighbours_that_come_and_go_the_slow_way_is_not_tried_all_the_time():
    machine = Machine()
    machine.long, machine.brief = 10.0, 2.0
    machine.steps(500)
    spent = 0.0
    for turn in range(100):
        machine.brief = 1.0 if turn % 2 else 2.0
        machine.long = 5 * machine.brief
        spent += machine.steps(20)
    assert machine.spinning.brief
    assert spent < 100 * 20 * 1.5 * 1.2


def test_when_the_neighbour_goes_they_spin_long_again():
    machine = Machine()
    machine.long, machine.brief = 10.0, 2.0
    machine.steps(500)
    assert machine.spinning.brief
    machine.long, machine.brief = 1.0, 1.2
    machine.steps(40)
    assert not machine.spinning.brief


def test_a_neighbour_from_the_start_is_found_out_soon():
    machine = Machine()
    machine.long, machine.brief = 10.0, 2.0
    machine.steps(100)
    assert machine.spinning.brief


def test_steps_of_another_kind_are_no_reason_to_change():
    machine = Machine()
    machine.steps(60)
    machine.long, machine.brief = 3.0, 3.6  # eight answers in one step
    machine.steps(200, kind=(8, False))
    assert not machine.spinning.brief


def test_where_nothing_can_be_switched_nothing_is_tried():
    machine = Machine()
    machine.crowd.available = False
    machine.long = 100.0
    machine.steps(500)
    assert not machine.crowd.gathered
