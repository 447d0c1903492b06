"""Who is read next: orders and bounds, for any owners, sizes and times."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xnai.documents.fair_queue import BatchQueue, ReadingQueue, ReadingTicket, ServiceShares

SHORT, LONG = 0.1, 300.0
OWNERS = st.sampled_from("abcd")
WISHES = st.lists(st.tuples(OWNERS, st.sampled_from([SHORT, 5.0, LONG])), min_size=1, max_size=40)


class Machine:
    """Reads documents one event after the other, on a clock of its own."""

    def __init__(self, queue: ReadingQueue | BatchQueue) -> None:
        self.queue = queue
        self.now = 0.0
        self.ends: list[tuple[float, int, ReadingTicket]] = []
        self.begun: list[ReadingTicket] = []
        self.ended: list[ReadingTicket] = []
        self.seconds: Counter[str] = Counter()

    def add(self, owner, expected=LONG, took=None, document="", memory=0):
        ticket = ReadingTicket(owner, document or f"{owner}", expected, memory)
        self.queue.add(ticket, self.now)
        self.took = getattr(self, "took", {})
        self.took[ticket] = expected if took is None else took
        return ticket

    def begin(self, fits=lambda _: True):
        begun = self.queue.begin(self.now, fits)
        for ticket in begun:
            self.ends.append((self.now + self.took[ticket], ticket.number, ticket))
        self.begun += begun
        return begun

    def step(self):
        """Let the next one end; whether there was one."""
        if not self.ends:
            return None
        self.ends.sort(key=lambda end: end[:2])
        self.now, _, ticket = self.ends.pop(0)
        self.seconds[ticket.owner] += self.took[ticket]
        self.queue.remove(ticket, self.now)
        self.ended.append(ticket)
        return ticket


def documents(slots=2, most=6):
    return Machine(ReadingQueue(slots, most))


@given(WISHES, st.integers(1, 4), st.integers(1, 4), st.randoms())
def test_no_more_are_read_than_may_be_and_all_are_in_the_end(wishes, slots, beyond, source):
    machine = documents(slots, slots + beyond)
    waiting = [machine.add(owner, expected) for owner, expected in wishes]
    source.shuffle(waiting)
    for ticket in waiting[: len(waiting) // 4]:  # these go away while they wait
        machine.queue.remove(ticket, 0.0)
        machine.queue.remove(ticket, 0.0)
    machine.begin()
    while True:
        running = machine.queue.running
        assert len(running) <= slots + beyond
        assert max(Counter(t.owner for t in running).values(), default=0) < slots + beyond
        left = len(waiting) - len(waiting) // 4 - len(machine.begun)
        assert len(running) >= min(slots, len(running) + left)
        if machine.step() is None:
            break
        machine.begin()
    assert len(machine.ended) == len(waiting) - len(waiting) // 4


@given(WISHES, st.integers(1, 4), st.integers(0, 30), st.sampled_from([SHORT, LONG]))
def test_whatever_one_has_given_to_read_another_begins_at_once(wishes, slots, steps, expected):
    machine = documents(slots, slots + 4)
    for _, mine in wishes:
        machine.add("greedy", mine, took=LONG)
    machine.begin()
    for _ in range(steps):
        machine.step()
        machine.begin()
    other = machine.add("other", expected)
    assert other in machine.begin()


@given(st.integers(1, 30))
def test_what_seemed_short_and_was_not_counts_as_what_it_took(count):
    machine = documents(slots=1, most=2)
    for _ in range(count):
        machine.add("hostile", SHORT, took=LONG)
        machine.add("honest", SHORT, took=SHORT)
    machine.begin()
    honest = 0
    while honest < count:
        honest += machine.step().owner == "honest"
        machine.begin()
    # At most one of the hostile ones is over before all of the honest ones are.
    assert Counter(ticket.owner for ticket in machine.ended)["hostile"] <= 1


def test_ones_own_short_document_does_not_wait_for_ones_long_ones():
    machine = documents()
    for _ in range(9):
        machine.add("a", LONG)
    machine.begin()
    short, another = machine.add("a", SHORT), machine.add("a", SHORT)
    assert machine.begin() == [short]
    machine.queue.remove(short, 1.0)
    assert machine.begin() == [another]


def test_of_ones_own_documents_the_short_ones_are_first_but_the_long_one_has_its_day():
    machine = documents(slots=1, most=1)
    first, last = machine.add("a", LONG), machine.add("a", 5.0)
    machine.now = LONG
    late = machine.add("a", 5.0)
    order = []
    while len(order) < 3:
        order += machine.begin()
        machine.queue.remove(order[-1], machine.now)
    assert order == [last, first, late]


def test_being_away_saves_nothing_up():
    shares = ServiceShares()
    shares.enter("a")
    shares.charge("a", 100.0)
    shares.enter("b")
    assert shares.rank("b") == shares.rank("a")
    shares.leave("b")
    shares.charge("a", 100.0)
    shares.enter("b")
    assert shares.rank("b") == shares.rank("a")


def test_what_somebody_used_is_remembered_while_others_have_used_less_and_no_longer():
    shares = ServiceShares()
    for name in "ab":
        shares.enter(name)
    shares.charge("a", 9.0)
    shares.leave("a")
    shares.enter("a")
    assert shares.rank("a") == (0, 9.0)
    shares.leave("a")
    shares.charge("b", 20.0)
    shares.leave("b")
    shares.enter("c")
    assert shares.rank("c") == (0, 20.0)


def test_the_memory_of_shares_is_bounded():
    shares = ServiceShares()
    shares.enter("stays")
    for number in range(5000):
        shares.enter(f"n{number}")
        shares.charge(f"n{number}", 1.0)
        shares.leave(f"n{number}")
    assert len(shares) <= 2050


def test_without_memory_for_more_one_is_read_and_a_small_one_beside_it():
    machine = documents()
    large = [machine.add(owner, memory=100) for owner in "ab"]
    small = machine.add("c", memory=1)
    assert machine.begin(lambda ticket: ticket.memory < 10) == [large[0], small]
    machine.queue.remove(large[0], 1.0)
    machine.queue.remove(small, 1.0)
    assert machine.begin(lambda _: False) == [large[1]]


def batches(machine, owner, document, count, took):
    for _ in range(count):
        machine.add(owner, took, document=document)


@given(
    st.lists(st.floats(0.1, 1.0), min_size=20, max_size=20),
    st.lists(st.floats(0.1, 1.0), min_size=20, max_size=20),
    st.integers(1, 3),
)
def test_two_owners_have_equal_shares_of_the_embedder(first, second, at_once):
    machine = Machine(BatchQueue(at_once))
    for a, b in zip(first, second, strict=True):
        machine.add("a", a, document="a1")
        machine.add("b", b, document="b1")
    machine.begin()
    left = Counter(a=20, b=20)
    while min(left.values()) > at_once:
        left[machine.step().owner] -= 1
        machine.begin()
        difference = abs(machine.seconds["a"] - machine.seconds["b"])
        assert difference <= 2 * at_once + 1


@pytest.mark.slow
@given(st.integers(1, 200), st.integers(1, 8), st.integers(1, 4), st.booleans())
def test_a_short_document_is_embedded_among_the_batches_of_a_long_one(
    before, short, at_once, same_owner
):
    machine = Machine(BatchQueue(at_once))
    batches(machine, "a", "long", 400, 1.0)
    machine.begin()
    for _ in range(before):
        machine.step()
        machine.begin()
    batches(machine, "a" if same_owner else "b", "short", short, 1.0)
    machine.ended.clear()
    while sum(ticket.document == "short" for ticket in machine.ended) < short:
        machine.step()
        machine.begin()
    assert len(machine.ended) <= 2 * short + 2 * at_once


def test_owners_have_shares_and_not_documents():
    machine = Machine(BatchQueue(1))
    for number in range(10):
        batches(machine, "many", f"m{number}", 50, 1.0)
    batches(machine, "one", "o", 50, 1.0)
    machine.begin()
    for _ in range(60):
        machine.step()
        machine.begin()
    assert abs(machine.seconds["many"] - machine.seconds["one"]) <= 2
