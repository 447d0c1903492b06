"""The scheduler against a reference memory that holds the tokens themselves."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from xnai.llm.worker.moves import Copy, Drop, Restore, Save, Trim
from xnai.llm.worker.prefix_cache import PrefixCache
from xnai.llm.worker.scheduler import Scheduler
from xnai.llm.worker.steps import Sequence

CONTEXT = 1000
CHUNK = 100
DOCUMENT = list(range(1000, 1300))


class Memory:
    """What llama.cpp would hold: a list of tokens for each slot and each saved sequence.

    ``whole`` and ``store_whole`` say of each token whether it and all before it were computed in
    whole chunks, alone in their steps.
    """

    def __init__(self, slots) -> None:
        self.slots = {number: [] for number in range(slots)}
        self.whole = {number: [] for number in range(slots)}
        self.store = {}
        self.store_whole = {}

    def move(self, moves):
        for move in moves:
            match move:
                case Trim():
                    assert move.length <= len(self.slots[move.slot])
                    self.cut(move.slot, move.length)
                case Copy():
                    assert move.source != move.slot
                    self.slots[move.slot] = self.slots[move.source][: move.length]
                    self.whole[move.slot] = self.whole[move.source][: move.length]
                case Save():
                    self.store[move.key] = list(self.slots[move.slot])
                    self.store_whole[move.key] = list(self.whole[move.slot])
                case Restore():
                    self.slots[move.slot] = self.store[move.key][: move.length]
                    self.whole[move.slot] = self.store_whole[move.key][: move.length]
                case Drop():
                    del self.store[move.key]

    def read(self, step):
        for chunk in step.chunks:
            assert len(self.slots[chunk.slot]) == chunk.start
            is_whole = len(step.chunks) == 1 and len(chunk.tokens) == CHUNK
            is_whole = is_whole and not chunk.start % CHUNK and all(self.whole[chunk.slot])
            self.slots[chunk.slot] += chunk.tokens
            self.whole[chunk.slot] += [is_whole] * len(chunk.tokens)

    def cut(self, slot, length):
        del self.slots[slot][length:]
        del self.whole[slot][length:]


def scheduler(slots=4, **options):
    cache = PrefixCache(slots, **options)
    return Scheduler(cache, CHUNK), cache, Memory(slots)


def make_step(sched, memory, budget=CHUNK, *, draft=0):
    step = sched.schedule(budget, lambda _: draft)
    memory.move(step.moves)
    memory.read(step)
    sched.commit(step)
    return step


def test_a_prompt_is_read_in_chunks_and_its_last_token_gives_logits():
    sched, _, memory = scheduler()
    sched.add(Sequence(1, list(range(250))))
    steps = [make_step(sched, memory) for _ in range(3)]
    assert [100, 100, 50] == [len(step.chunks[0].tokens) for step in steps]
    assert [False, False, True] == [step.chunks[0].logits for step in steps]
    assert sched.schedule(CHUNK) is None


def test_growing_answers_are_in_every_step_beside_a_long_prompt():
    sched, _, memory = scheduler()
    writing = Sequence(1, [1, 2, 3])
    sched.add(writing)
    make_step(sched, memory)
    sched.add(Sequence(2, list(range(500, 900))))
    for token in range(4):
        writing.tokens.append(token)
        step = make_step(sched, memory, budget=40)
        assert [(1, 1), (2, 40)] == [(c.sequence.id, len(c.tokens)) for c in step.chunks]


def test_a_prompt_alone_is_read_in_whole_chunks_whatever_the_budget():
    sched, _, memory = scheduler()
    sched.add(Sequence(1, list(range(250))))
    assert CHUNK == len(make_step(sched, memory, budget=7).chunks[0].tokens)


def test_prompts_are_read_in_the_order_of_their_arrival():
    sched, _, memory = scheduler()
    for number in (1, 2, 3):
        sched.add(Sequence(number, [number] * 80))
    first, second, third = (make_step(sched, memory) for _ in range(3))
    assert [(1, 80), (2, 20)] == [(c.sequence.id, len(c.tokens)) for c in first.chunks]
    assert [(2, 60), (3, 40)] == [(c.sequence.id, len(c.tokens)) for c in second.chunks]
    assert [(3, 40)] == [(c.sequence.id, len(c.tokens)) for c in third.chunks]


def test_a_request_more_than_there_are_slots_waits_for_the_first_to_end():
    sched, _, memory = scheduler(slots=1)
    first, second = Sequence(1, [1, 2]), Sequence(2, [3, 4])
    sched.add(first)
    sched.add(second)
    assert [1] == [chunk.sequence.id for chunk in make_step(sched, memory).chunks]
    sched.remove(first)
    assert [2] == [chunk.sequence.id for chunk in make_step(sched, memory).chunks]


def test_a_prompt_waits_for_another_to_read_what_both_begin_with():
    sched, _, memory = scheduler()
    sched.add(Sequence(1, [*DOCUMENT, 1, 2, 3]))
    sched.add(Sequence(2, [*DOCUMENT, 7, 8, 9]))
    read = [
        (c.sequence.id, len(c.tokens)) for _ in range(4) for c in make_step(sched, memory).chunks
    ]
    assert [(1, 100), (1, 100), (1, 100), (1, 3), (2, 3)] == sorted(read[:3]) + sorted(read[3:])


def test_a_prompt_that_waited_for_a_cancelled_one_goes_on_from_what_was_read():
    sched, _, memory = scheduler()
    first, second = Sequence(1, [*DOCUMENT, 1, 2, 3]), Sequence(2, [*DOCUMENT, 7, 8, 9])
    sched.add(first)
    sched.add(second)
    make_step(sched, memory)
    sched.remove(first)
    make_step(sched, memory)
    assert 100 == second.reused


def test_the_next_turn_of_a_chat_reads_only_what_is_new():
    sched, _, memory = scheduler()
    first = Sequence(1, list(range(50)))
    sched.add(first)
    make_step(sched, memory)
    for token in (70, 71):
        first.tokens.append(token)
        make_step(sched, memory)
    sched.remove(first)
    sched.add(Sequence(2, [*range(50), 70, 71, 80, 81]))
    assert [80, 81] == make_step(sched, memory).chunks[0].tokens


def test_the_same_prompt_again_reads_its_last_token_for_the_logits():
    sched, _, memory = scheduler()
    for number in (1, 2):
        sequence = Sequence(number, list(range(50)))
        sched.add(sequence)
        step = make_step(sched, memory)
        sched.remove(sequence)
    assert [49] == step.chunks[0].tokens


def test_a_reproducible_request_waits_for_its_like_alone_and_reuses_no_part_of_a_chunk():
    sched, _, memory = scheduler()
    sched.add(Sequence(1, [*DOCUMENT, 1]))
    sched.add(Sequence(2, [*DOCUMENT[:270], 2], reproducible=True))
    sched.add(Sequence(3, [*DOCUMENT[:270], 3], reproducible=True))
    placed = [[one.id for one in make_step(sched, memory).placed] for _ in range(7)]
    assert [[1, 2], [3]] == [ids for ids in placed if ids]
    assert [0, 200] == [one.reused for one in sched.sequences if one.reproducible]


def test_a_reproducible_request_has_the_same_steps_whatever_runs_beside_it():
    def steps_of_it(beside):  # noqa: ANN202
        sched, _, memory = scheduler(slots=4)
        for number, prompt in enumerate(beside):
            sched.add(Sequence(10 + number, list(prompt)))
        if beside:
            make_step(sched, memory)
        wanted = Sequence(1, [*DOCUMENT, 1], reproducible=True)
        sched.add(wanted)
        found, others = [], 0
        while len(wanted.tokens) < len(DOCUMENT) + 8:
            step = make_step(sched, memory, draft=2, budget=30)
            mine = [chunk for chunk in step.chunks if chunk.sequence is wanted]
            if mine:
                found.append((len(step.chunks), mine[0].start, mine[0].tokens, mine[0].drafted))
            others += not mine
            for chunk in step.chunks:
                if chunk.drafted:
                    sched.reject(chunk, chunk.drafted)
                    memory.cut(chunk.slot, chunk.sequence.computed)
                if chunk.logits:
                    chunk.sequence.tokens.append(1)
        return found, others

    alone, nobody = steps_of_it([])
    beside, others = steps_of_it([[1, 2, 3], [*range(400)], [*DOCUMENT, 7]])
    assert alone == beside
    assert nobody == 0
    assert abs(len(alone) - others) <= 1  # in turns


def test_a_reproducible_request_reuses_whole_chunks_that_were_computed_alone():
    sched, _, memory = scheduler()
    first = Sequence(1, [*DOCUMENT, 1], reproducible=True)
    sched.add(first)
    while first.uncomputed:
        make_step(sched, memory)
    sched.remove(first)
    again = Sequence(2, [*DOCUMENT[:250], 7, 8], reproducible=True)
    sched.add(again)
    assert [*DOCUMENT[200:250], 7, 8] == make_step(sched, memory).chunks[0].tokens


def test_a_reproducible_request_reuses_nothing_that_was_computed_beside_an_answer():
    sched, _, memory = scheduler()
    writing, other = Sequence(1, [1, 2]), Sequence(2, [*DOCUMENT, 1])
    sched.add(writing)
    make_step(sched, memory)
    sched.add(other)
    while other.uncomputed:
        writing.tokens.append(3)
        make_step(sched, memory)
    sched.remove(writing)
    sched.remove(other)
    again = Sequence(3, [*DOCUMENT, 2], reproducible=True)
    sched.add(again)
    make_step(sched, memory)
    assert 0 == again.reused


def test_a_prompt_that_a_step_has_no_room_for_shares_what_that_step_reads():
    sched, _, memory = scheduler()
    for number in (1, 2):
        sched.add(Sequence(number, [*range(20), *[number] * 80]))
    make_step(sched, memory)
    assert 20 == make_step(sched, memory).placed[0].reused


def writing_answers(sched, memory, prompts, **options):
    """Answers that have each drawn their first token."""
    sequences = [Sequence(n, list(prompt), **options) for n, prompt in enumerate(prompts)]
    for sequence in sequences:
        sched.add(sequence)
    make_step(sched, memory)
    for sequence in sequences:
        sequence.tokens.append(1)
    return sequences


def test_a_draft_is_read_with_the_last_token_if_that_pays():
    sched, _, memory = scheduler()
    writing_answers(sched, memory, [[1, 2, 3], [1, 7, 8]])
    plain, drafted = sched.schedule(CHUNK), sched.schedule(CHUNK, lambda matched: len(matched) - 1)
    assert [[1], [1]] == [chunk.tokens for chunk in plain.chunks]
    assert [[1, 2], [1, 7]] == [chunk.tokens for chunk in drafted.chunks]
    assert [1, 2] == [plain.chunks[0].rows, drafted.chunks[0].rows]


def test_a_wrong_draft_is_forgotten():
    sched, _, memory = scheduler()
    (sequence,) = writing_answers(sched, memory, [[1, 2, 3]])
    step = make_step(sched, memory, draft=3)
    assert [1, 2, 3, 1] == step.chunks[0].tokens
    assert 4 == step.chunks[0].rows
    sequence.tokens += [2, 9]  # one of three was right
    sched.reject(step.chunks[0], 2)
    memory.cut(step.chunks[0].slot, sequence.computed)
    assert [9] == make_step(sched, memory).chunks[0].tokens


@pytest.mark.parametrize(
    ("options", "read"),
    [({"reproducible": True}, [1]), ({"most_tokens": 5}, [1]), ({"most_tokens": 7}, [1, 2, 3])],
)
def test_nothing_is_drafted_that_may_change_the_text_or_is_too_long(options, read):
    sched, _, memory = scheduler()
    writing_answers(sched, memory, [[1, 2, 3]], **options)
    assert read == sched.schedule(CHUNK, lambda _: 7).chunks[0].tokens


def test_what_could_not_be_restored_is_read_anew_and_reused_by_nobody():
    sched, cache, memory = scheduler(store_tokens=1000)
    (sequence,) = writing_answers(sched, memory, [[1, 2, 3]])
    slot = sequence.slot
    key, _ = cache.offer([*range(500, 600)])
    sched.lose([slot.number], [key])
    assert cache.saved == {}
    assert (sequence.uncomputed, sequence.reused) == (len(sequence.tokens), 0)
    assert sequence.tokens == sched.schedule(CHUNK).chunks[0].tokens
    sched.remove(sequence)  # free, and lost once more as the source of a copy
    slot.length = 3
    sched.lose([slot.number])
    assert cache.available([*sequence.tokens, 9]) == 0


def test_a_recurrent_model_cannot_take_a_draft_back():
    sched, _, memory = scheduler(partial=False)
    writing_answers(sched, memory, [[1, 2, 3]])
    assert [1] == sched.schedule(CHUNK, lambda _: 7).chunks[0].tokens


def test_a_paused_answer_keeps_its_slot_and_is_not_read():
    sched, _, memory = scheduler()
    first, second = Sequence(1, [1, 2]), Sequence(2, [3, 4])
    sched.add(first)
    sched.add(second)
    make_step(sched, memory)
    first.tokens.append(9)
    second.tokens.append(9)
    first.paused = True
    assert [2] == [chunk.sequence.id for chunk in make_step(sched, memory).chunks]
    first.paused = False
    assert [1] == [chunk.sequence.id for chunk in make_step(sched, memory).chunks]


def test_a_step_that_was_given_up_is_planned_again():
    sched, _, memory = scheduler()
    sched.add(Sequence(1, list(range(50))))
    step = sched.schedule(CHUNK)
    memory.move(step.moves)
    sched.roll_back(step)
    assert list(range(50)) == make_step(sched, memory).chunks[0].tokens


def test_what_a_full_house_must_forget_is_saved_and_restored():
    sched, _, memory = scheduler(slots=1, store_tokens=1000)
    chat = list(range(200))
    for number, tokens in enumerate(([*chat], [5] * 300, [*chat, 900])):
        sequence = Sequence(number, tokens)
        sched.add(sequence)
        while sequence.uncomputed:
            make_step(sched, memory)
        sched.remove(sequence)
    assert 200 == sequence.reused


def test_a_recurrent_model_reuses_a_sequence_only_as_a_whole():
    sched, _, memory = scheduler(slots=1, partial=False)
    reused = []
    for number, tokens in enumerate(([1, 2, 3], [1, 2, 3, 4], [1, 2, 9])):
        sequence = Sequence(number, tokens)
        sched.add(sequence)
        make_step(sched, memory)
        sched.remove(sequence)
        reused.append(sequence.reused)
    assert [0, 3, 0] == reused


def test_sequences_at_work_are_neighbours_and_in_order():
    sched, cache, memory = scheduler()
    sequences = [Sequence(number, [number, 50]) for number in range(4)]
    for sequence in sequences:
        sched.add(sequence)
    make_step(sched, memory)
    for gone in (0, 2):
        sched.remove(sequences[gone])
    for sequence in (sequences[1], sequences[3]):
        sequence.tokens.append(60)
    slots = [chunk.slot for chunk in make_step(sched, memory).chunks]
    assert slots == [slots[0], slots[0] + 1]
    assert 2 == sum(slot.busy for slot in cache.slots)


@pytest.mark.parametrize("age", [0, 3600])
def test_of_free_slots_the_one_is_given_up_that_is_worth_least(age):
    now = [0.0]
    cache = PrefixCache(2, clock=lambda: now[0])
    sched, memory = Scheduler(cache, CHUNK), Memory(2)
    long, short = Sequence(1, list(range(90))), Sequence(2, list(range(500, 560)))
    for sequence in (long, short):
        sched.add(sequence)
        while sequence.uncomputed:
            make_step(sched, memory)
    sched.remove(long)
    now[0] = age
    sched.remove(short)
    third = Sequence(3, [7] * 10)
    sched.add(third)
    make_step(sched, memory)
    assert (short, long)[bool(age)].tokens != memory.slots[third.slot.number]
    kept = long if not age else short
    assert kept.tokens in memory.slots.values()


def test_a_long_conversation_makes_room_only_where_it_can_be_saved():
    """The example of ``PrefixCache._loss``."""
    for store, given_up in ((0, 2), (10_000, 1)):
        now = [0.0]
        cache = PrefixCache(3, store_tokens=store, clock=lambda now=now: now[0])
        prompts = [[7] * 10, [8] * 2_000, [9] * 300]
        at_work, resting, newest = (cache.place(prompt).slot for prompt in prompts)
        for slot in (at_work, resting, newest):
            slot.length = len(slot.tokens)
        cache.release(resting)
        now[0] = 600.0
        cache.release(newest)
        assert given_up == cache.place([1, 2, 3]).slot.number


class SchedulerMachine(RuleBasedStateMachine):
    """Random requests, cancels, pauses and aborted steps; the memory must always agree."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = PrefixCache(3, store_tokens=400)
        self.sched = Scheduler(self.cache, CHUNK)
        self.memory = Memory(3)
        self.begun = []
        self.placed = []
        self.ended = []
        self.stepped = False

    def pick(self, index):
        return self.sched.sequences[index % len(self.sched.sequences)]

    @rule(
        document=st.integers(0, 3),
        length=st.integers(0, 299),
        question=st.lists(st.integers(0, 5), min_size=1, max_size=150),
        reproducible=st.booleans(),
    )
    def add(self, document, length, question, reproducible):
        prefix = [1000 * document + token for token in range(length)]
        sequence = Sequence(len(self.begun) + 1, [*prefix, *question], reproducible=reproducible)
        self.begun.append(sequence.id)
        self.sched.add(sequence)

    @precondition(lambda self: self.sched.sequences)
    @rule(index=st.integers(0, 50))
    def remove(self, index):
        sequence = self.pick(index)
        self.sched.remove(sequence)
        self.stepped = False
        self.ended.append(sequence.id)

    @precondition(lambda self: self.sched.sequences)
    @rule(index=st.integers(0, 50), paused=st.booleans())
    def pause(self, index, paused):
        self.pick(index).paused = paused

    @rule(
        budget=st.integers(1, 150),
        token=st.integers(0, 5),
        aborted=st.booleans(),
        draft=st.integers(0, 3),
    )
    def step(self, budget, token, aborted, draft):
        waiting = [one.id for one in self.sched.sequences if one.slot is None]
        step = self.sched.schedule(budget, lambda _: draft)
        self.stepped = True
        assert step is None or [chunk.slot for chunk in step.chunks] == sorted(
            chunk.slot for chunk in step.chunks
        )
        if step is None:
            assert all(
                sequence.paused or sequence.slot is None for sequence in self.sched.sequences
            )
            return
        self.memory.move(step.moves)
        for sequence in step.placed:
            if sequence.reproducible:
                assert not sequence.reused % CHUNK
                assert all(self.memory.whole[sequence.slot.number][: sequence.reused])
        order = [sequence.id for sequence in step.placed]
        assert order == [sequence_id for sequence_id in waiting if sequence_id in order]
        if aborted:
            self.sched.roll_back(step)
            return
        prefill = sum(len(chunk.tokens) for chunk in step.prefills if not chunk.drafted)
        assert prefill <= CHUNK
        self.memory.read(step)
        self.sched.commit(step)
        for chunk in step.chunks:
            if chunk.logits:
                self.draw(chunk, token)

    def draw(self, chunk, token):
        assert chunk.sequence.uncomputed == -chunk.drafted
        chunk.sequence.tokens.append(token)
        right = 0
        for guess in chunk.tokens[len(chunk.tokens) - chunk.drafted :]:
            if guess != chunk.sequence.tokens[-1]:
                break
            right += 1
            chunk.sequence.tokens.append(token)
        if right < chunk.drafted:
            self.sched.reject(chunk, chunk.drafted - right)
            self.memory.cut(chunk.slot, chunk.sequence.computed)

    @rule()
    def run_dry(self):
        """With nobody paused every request gets to its first token, without anybody's help."""
        for sequence in self.sched.sequences:
            sequence.paused = False
        for _ in range(200):
            finished = [one for one in self.sched.sequences if len(one.tokens) > one.prompt_tokens]
            for sequence in finished:
                self.sched.remove(sequence)
                self.stepped = False
                self.ended.append(sequence.id)
            if not self.sched.sequences:
                return
            step = self.sched.schedule(50)
            self.memory.move(step.moves)
            self.memory.read(step)
            self.sched.commit(step)
            for chunk in step.chunks:
                if chunk.logits:
                    chunk.sequence.tokens.append(3)
        raise AssertionError("requests starve")

    @invariant()
    def memory_holds_what_the_books_say(self):
        for slot in self.cache.slots:
            assert self.memory.slots[slot.number] == slot.tokens[: slot.length]
            assert all(self.memory.whole[slot.number][: slot.fixed])
            assert slot.fixed <= slot.length
        assert {key: saved.tokens for key, saved in self.cache.saved.items()} == self.memory.store

    @invariant()
    def a_slot_has_one_sequence_and_no_slot_is_lost(self):
        taken = [one.slot.number for one in self.sched.sequences if one.slot is not None]
        assert len(taken) == len(set(taken))
        assert sorted(taken) == [slot.number for slot in self.cache.slots if slot.busy]

        if self.stepped:
            assert not taken or max(taken) - min(taken) + 1 == len(taken)

    @invariant()
    def the_store_is_bounded(self):
        assert sum(map(len, self.memory.store.values())) <= 400

    @invariant()
    def every_request_is_there_or_has_ended_once(self):
        assert sorted([*(one.id for one in self.sched.sequences), *self.ended]) == self.begun


TestSchedulerMachine = SchedulerMachine.TestCase
TestSchedulerMachine.settings = settings(stateful_step_count=40)
TestSchedulerMachine.pytestmark = [pytest.mark.slow]
