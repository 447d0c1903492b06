"""The scheduler against a reference memory that holds the tokens themselves."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from xnai.llm.prefix_cache import Copy, Drop, PrefixCache, Restore, Save, Trim
from xnai.llm.scheduler import Job, Scheduler

CONTEXT = 1000
CHUNK = 100
DOCUMENT = list(range(1000, 1300))


class Memory:
    """What llama.cpp would hold: a list of tokens for each slot and each saved sequence."""

    def __init__(self, slots) -> None:
        self.slots = {number: [] for number in range(slots)}
        self.store = {}

    def move(self, moves):
        for move in moves:
            match move:
                case Trim():
                    assert move.length <= len(self.slots[move.slot])
                    del self.slots[move.slot][move.length :]
                case Copy():
                    assert move.source != move.slot
                    self.slots[move.slot] = self.slots[move.source][: move.length]
                case Save():
                    self.store[move.key] = list(self.slots[move.slot])
                case Restore():
                    self.slots[move.slot] = self.store[move.key][: move.length]
                case Drop():
                    del self.store[move.key]

    def read(self, run):
        assert len(self.slots[run.slot]) == run.start
        self.slots[run.slot] += run.tokens

    def cut(self, slot, length):
        del self.slots[slot][length:]


def scheduler(slots=4, **options):
    cache = PrefixCache(slots, **options)
    return Scheduler(cache, CHUNK), cache, Memory(slots)


def make_step(sched, memory, budget=CHUNK, *, pays=False):
    step = sched.plan(budget, lambda _: pays)
    memory.move(step.moves)
    for run in step.runs:
        memory.read(run)
    sched.settle(step)
    return step


def test_a_prompt_is_read_in_chunks_and_its_last_token_gives_logits():
    sched, _, memory = scheduler()
    sched.add(Job(1, list(range(250))))
    steps = [make_step(sched, memory) for _ in range(3)]
    assert [100, 100, 50] == [len(step.runs[0].tokens) for step in steps]
    assert [False, False, True] == [step.runs[0].logits for step in steps]
    assert sched.plan(CHUNK) is None


def test_growing_answers_are_in_every_step_beside_a_long_prompt():
    sched, _, memory = scheduler()
    writing = Job(1, [1, 2, 3])
    sched.add(writing)
    make_step(sched, memory)
    sched.add(Job(2, list(range(500, 900))))
    for token in range(4):
        writing.tokens.append(token)
        step = make_step(sched, memory, budget=40)
        assert [(1, 1), (2, 40)] == [(run.job.id, len(run.tokens)) for run in step.runs]


def test_a_prompt_alone_is_read_in_whole_chunks_whatever_the_budget():
    sched, _, memory = scheduler()
    sched.add(Job(1, list(range(250))))
    assert CHUNK == len(make_step(sched, memory, budget=7).runs[0].tokens)


def test_prompts_are_read_in_the_order_of_their_arrival():
    sched, _, memory = scheduler()
    for number in (1, 2, 3):
        sched.add(Job(number, [number] * 80))
    first, second, third = (make_step(sched, memory) for _ in range(3))
    assert [(1, 80), (2, 20)] == [(run.job.id, len(run.tokens)) for run in first.runs]
    assert [(2, 60), (3, 40)] == [(run.job.id, len(run.tokens)) for run in second.runs]
    assert [(3, 40)] == [(run.job.id, len(run.tokens)) for run in third.runs]


def test_a_request_more_than_there_are_slots_waits_for_the_first_to_end():
    sched, _, memory = scheduler(slots=1)
    first, second = Job(1, [1, 2]), Job(2, [3, 4])
    sched.add(first)
    sched.add(second)
    assert [1] == [run.job.id for run in make_step(sched, memory).runs]
    sched.remove(first)
    assert [2] == [run.job.id for run in make_step(sched, memory).runs]


def test_a_prompt_waits_for_another_to_read_what_both_begin_with():
    sched, _, memory = scheduler()
    sched.add(Job(1, [*DOCUMENT, 1, 2, 3]))
    sched.add(Job(2, [*DOCUMENT, 7, 8, 9]))
    read = [
        (run.job.id, len(run.tokens)) for _ in range(4) for run in make_step(sched, memory).runs
    ]
    assert [(1, 100), (1, 100), (1, 100), (1, 3), (2, 3)] == sorted(read[:3]) + sorted(read[3:])


def test_a_prompt_that_waited_for_a_cancelled_one_goes_on_from_what_was_read():
    sched, _, memory = scheduler()
    first, second = Job(1, [*DOCUMENT, 1, 2, 3]), Job(2, [*DOCUMENT, 7, 8, 9])
    sched.add(first)
    sched.add(second)
    make_step(sched, memory)
    sched.remove(first)
    make_step(sched, memory)
    assert 100 == second.reused


def test_the_next_turn_of_a_chat_reads_only_what_is_new():
    sched, _, memory = scheduler()
    first = Job(1, list(range(50)))
    sched.add(first)
    make_step(sched, memory)
    for token in (70, 71):
        first.tokens.append(token)
        make_step(sched, memory)
    sched.remove(first)
    sched.add(Job(2, [*range(50), 70, 71, 80, 81]))
    assert [80, 81] == make_step(sched, memory).runs[0].tokens


def test_the_same_prompt_again_reads_its_last_token_for_the_logits():
    sched, _, memory = scheduler()
    for number in (1, 2):
        job = Job(number, list(range(50)))
        sched.add(job)
        step = make_step(sched, memory)
        sched.remove(job)
    assert [49] == step.runs[0].tokens


def test_a_fresh_request_reuses_nothing_and_waits_for_nobody():
    sched, _, memory = scheduler()
    sched.add(Job(1, [*DOCUMENT, 1]))
    sched.add(Job(2, [*DOCUMENT, 2], fresh=True))
    placed = [job for _ in range(4) for job in make_step(sched, memory).placed]
    assert {1: 0, 2: 0} == {job.id: job.reused for job in placed}


def test_a_prompt_that_a_step_has_no_room_for_shares_what_that_step_reads():
    sched, _, memory = scheduler()
    for number in (1, 2):
        sched.add(Job(number, [*range(20), *[number] * 80]))
    make_step(sched, memory)
    assert 20 == make_step(sched, memory).placed[0].reused


def writing_answers(sched, memory, prompts, **options):
    """Answers that have each drawn their first token."""
    jobs = [Job(number, list(prompt), **options) for number, prompt in enumerate(prompts)]
    for job in jobs:
        sched.add(job)
    make_step(sched, memory)
    for job in jobs:
        job.tokens.append(1)
    return jobs


def test_a_draft_is_read_with_the_last_token_if_that_pays():
    sched, _, memory = scheduler()
    writing_answers(sched, memory, [[1, 2, 3], [1, 7, 8]])
    plain, drafted = sched.plan(CHUNK), sched.plan(CHUNK, lambda writing: len(writing) == 2)
    assert [[1], [1]] == [run.tokens for run in plain.runs]
    assert [[1, 2], [1, 7]] == [run.tokens for run in drafted.runs]
    assert [1, 2] == [plain.runs[0].rows, drafted.runs[0].rows]


def test_a_wrong_draft_is_forgotten():
    sched, _, memory = scheduler()
    (job,) = writing_answers(sched, memory, [[1, 2, 3]])
    step = make_step(sched, memory, pays=True)
    job.tokens.append(9)
    sched.reject(step.runs[0])
    memory.cut(step.runs[0].slot, job.read)
    assert [9] == make_step(sched, memory).runs[0].tokens


@pytest.mark.parametrize("options", [{"fresh": True}, {"most_tokens": 5}])
def test_nothing_is_drafted_that_may_change_the_text_or_is_too_long(options):
    sched, _, memory = scheduler()
    writing_answers(sched, memory, [[1, 2, 3]], **options)
    assert [1] == sched.plan(CHUNK, lambda _: True).runs[0].tokens


def test_a_recurrent_model_cannot_take_a_draft_back():
    sched, _, memory = scheduler(partial=False)
    writing_answers(sched, memory, [[1, 2, 3]])
    assert [1] == sched.plan(CHUNK, lambda _: True).runs[0].tokens


def test_a_paused_answer_keeps_its_slot_and_is_not_read():
    sched, _, memory = scheduler()
    first, second = Job(1, [1, 2]), Job(2, [3, 4])
    sched.add(first)
    sched.add(second)
    make_step(sched, memory)
    first.tokens.append(9)
    second.tokens.append(9)
    first.paused = True
    assert [2] == [run.job.id for run in make_step(sched, memory).runs]
    first.paused = False
    assert [1] == [run.job.id for run in make_step(sched, memory).runs]


def test_a_step_that_was_given_up_is_planned_again():
    sched, _, memory = scheduler()
    sched.add(Job(1, list(range(50))))
    step = sched.plan(CHUNK)
    memory.move(step.moves)
    sched.undo(step)
    assert list(range(50)) == make_step(sched, memory).runs[0].tokens


def test_what_a_full_house_must_forget_is_saved_and_restored():
    sched, _, memory = scheduler(slots=1, store_tokens=1000)
    chat = list(range(200))
    for number, tokens in enumerate(([*chat], [5] * 300, [*chat, 900])):
        job = Job(number, tokens)
        sched.add(job)
        while job.unread:
            make_step(sched, memory)
        sched.remove(job)
    assert 200 == job.reused


def test_a_recurrent_model_reuses_a_sequence_only_as_a_whole():
    sched, _, memory = scheduler(slots=1, partial=False)
    reused = []
    for number, tokens in enumerate(([1, 2, 3], [1, 2, 3, 4], [1, 2, 9])):
        job = Job(number, tokens)
        sched.add(job)
        make_step(sched, memory)
        sched.remove(job)
        reused.append(job.reused)
    assert [0, 3, 0] == reused


def test_sequences_at_work_are_neighbours_and_in_order():
    sched, cache, memory = scheduler()
    jobs = [Job(number, [number, 50]) for number in range(4)]
    for job in jobs:
        sched.add(job)
    make_step(sched, memory)
    for gone in (0, 2):
        sched.remove(jobs[gone])
    for job in (jobs[1], jobs[3]):
        job.tokens.append(60)
    slots = [run.slot for run in make_step(sched, memory).runs]
    assert slots == [slots[0], slots[0] + 1]
    assert 2 == sum(slot.busy for slot in cache.slots)


@pytest.mark.parametrize("age", [0, 3600])
def test_of_free_slots_the_one_is_given_up_that_is_worth_least(age):
    now = [0.0]
    cache = PrefixCache(2, clock=lambda: now[0])
    sched, memory = Scheduler(cache, CHUNK), Memory(2)
    long, short = Job(1, list(range(90))), Job(2, list(range(500, 560)))
    for job in (long, short):
        sched.add(job)
        while job.unread:
            make_step(sched, memory)
    sched.remove(long)
    now[0] = age
    sched.remove(short)
    third = Job(3, [7] * 10)
    sched.add(third)
    make_step(sched, memory)
    assert (short, long)[bool(age)].tokens != memory.slots[third.slot.number]
    kept = long if not age else short
    assert kept.tokens in memory.slots.values()


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
        return self.sched.jobs[index % len(self.sched.jobs)]

    @rule(
        document=st.integers(0, 3),
        length=st.integers(0, 299),
        question=st.lists(st.integers(0, 5), min_size=1, max_size=150),
        fresh=st.booleans(),
    )
    def add(self, document, length, question, fresh):
        prefix = [1000 * document + token for token in range(length)]
        job = Job(len(self.begun) + 1, [*prefix, *question], fresh=fresh)
        self.begun.append(job.id)
        self.sched.add(job)

    @precondition(lambda self: self.sched.jobs)
    @rule(index=st.integers(0, 50))
    def remove(self, index):
        job = self.pick(index)
        self.sched.remove(job)
        self.stepped = False
        self.ended.append(job.id)

    @precondition(lambda self: self.sched.jobs)
    @rule(index=st.integers(0, 50), paused=st.booleans())
    def pause(self, index, paused):
        self.pick(index).paused = paused

    @rule(
        budget=st.integers(1, 150),
        token=st.integers(0, 5),
        aborted=st.booleans(),
        pays=st.booleans(),
    )
    def step(self, budget, token, aborted, pays):
        waiting = [job.id for job in self.sched.jobs if job.slot is None]
        step = self.sched.plan(budget, lambda _: pays)
        self.stepped = True
        assert step is None or [run.slot for run in step.runs] == sorted(
            run.slot for run in step.runs
        )
        if step is None:
            assert all(job.paused or job.slot is None for job in self.sched.jobs)
            return
        self.memory.move(step.moves)
        order = [job.id for job in step.placed]
        assert order == [job_id for job_id in waiting if job_id in order]
        if aborted:
            self.sched.undo(step)
            return
        prefill = sum(len(run.tokens) for run in step.prefills if len(run.tokens) > 2)
        assert prefill <= CHUNK
        for run in step.runs:
            self.memory.read(run)
        self.sched.settle(step)
        for run in step.runs:
            if run.logits:
                self.draw(run, token)

    def draw(self, run, token):
        assert run.job.unread == -run.drafted
        run.job.tokens.append(token)
        if run.drafted and token == run.tokens[-1]:
            run.job.tokens.append(token)
        elif run.drafted:
            self.sched.reject(run)
            self.memory.cut(run.slot, run.job.read)

    @rule()
    def run_dry(self):
        """With nobody paused every request gets to its first token, without anybody's help."""
        for job in self.sched.jobs:
            job.paused = False
        for _ in range(200):
            finished = [job for job in self.sched.jobs if len(job.tokens) > job.prompt_tokens]
            for job in finished:
                self.sched.remove(job)
                self.stepped = False
                self.ended.append(job.id)
            if not self.sched.jobs:
                return
            step = self.sched.plan(50)
            self.memory.move(step.moves)
            for run in step.runs:
                self.memory.read(run)
            self.sched.settle(step)
            for run in step.runs:
                if run.logits:
                    run.job.tokens.append(3)
        raise AssertionError("requests starve")

    @invariant()
    def memory_holds_what_the_books_say(self):
        for slot in self.cache.slots:
            assert self.memory.slots[slot.number] == slot.tokens[: slot.length]
        assert {key: saved.tokens for key, saved in self.cache.saved.items()} == self.memory.store

    @invariant()
    def a_slot_has_one_sequence_and_no_slot_is_lost(self):
        taken = [job.slot.number for job in self.sched.jobs if job.slot is not None]
        assert len(taken) == len(set(taken))
        assert sorted(taken) == [slot.number for slot in self.cache.slots if slot.busy]

        if self.stepped:
            assert not taken or max(taken) - min(taken) + 1 == len(taken)

    @invariant()
    def the_store_is_bounded(self):
        assert sum(map(len, self.memory.store.values())) <= 400

    @invariant()
    def every_request_is_there_or_has_ended_once(self):
        assert sorted([*(job.id for job in self.sched.jobs), *self.ended]) == self.begun


TestSchedulerMachine = SchedulerMachine.TestCase
TestSchedulerMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
