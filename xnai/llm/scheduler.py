"""What the next step of the model reads: continuous batching with chunked prefill.

No input or output and no llama.cpp in here: requests and tokens go in, steps come out. To the
scheduler prefill and decode are the same thing. A sequence is a list of tokens of which some lie in
the cache; each step reads some of the rest. One unread token is the usual state of an answer that
grows; many are a prompt, which shares what room the others leave.

Continuous batching is that of Orca (Yu et al., OSDI 2022), chunked prefill that of Sarathi-Serve
(Agrawal et al., OSDI 2024).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from xnai.llm.lookup import Lookup
from xnai.llm.prefix_cache import Move, PrefixCache, Slot, common_prefix

NO_LIMIT = 2**31 - 1  # tokens
WORTH_WAITING = 32  # tokens that another is about to read, for which a prompt holds back


@dataclass(slots=True, eq=False)
class Job:
    """A request: its prompt, and the answer as it grows.

    ``tokens`` are prompt and answer, at most ``most_tokens``; ``fresh`` has the prompt read from
    its first token in chunks of one size and nothing drafted: the same request gives the same text.
    """

    id: int
    tokens: list[int]
    fresh: bool = False
    most_tokens: int = NO_LIMIT
    paused: bool = False
    prompt_tokens: int = 0
    reused: int = 0
    slot: Slot | None = None
    lookup: Lookup = field(init=False)

    def __post_init__(self) -> None:
        self.prompt_tokens = len(self.tokens)
        self.lookup = Lookup(self.tokens)

    @property
    def read(self) -> int:
        """Tokens that are in the cache."""
        return 0 if self.slot is None else self.slot.length

    @property
    def unread(self) -> int:
        """Tokens that have to be read before the next one can be drawn."""
        return len(self.tokens) - self.read


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive tokens of one sequence; of the last one logits may be wanted.

    ``drafted`` of them, the last ones, are guessed: logits are wanted of these too and of the one
    before them.
    """

    job: Job
    slot: int
    start: int  # position of the first
    tokens: list[int]
    logits: bool
    drafted: int = 0

    @property
    def rows(self) -> int:
        """Of how many tokens logits are wanted."""
        return self.logits * (1 + self.drafted)


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the model, and what has to be moved before it."""

    placed: tuple[Job, ...]  # those that got a slot for it
    moves: tuple[Move, ...]
    runs: tuple[Run, ...]

    @property
    def prefills(self) -> list[Run]:
        """The runs that read more than what was drawn last."""
        return [run for run in self.runs if run.job.read < run.job.prompt_tokens]


class Scheduler:
    """Shares steps among requests, first come first served.

    Args:
        cache: the slots, and what they hold.
        chunk: most prompt tokens of one step.

    """

    def __init__(self, cache: PrefixCache, chunk: int) -> None:
        self._cache = cache
        self._chunk = chunk
        self._waiting: list[Job] = []
        self._active: list[Job] = []  # in the order of their arrival

    @property
    def jobs(self) -> list[Job]:
        """All that are not over, those that read or write first."""
        return [*self._active, *self._waiting]

    @property
    def load(self) -> tuple[int, int]:
        """How many prompts are being read or wait for it, and how many answers grow."""
        writing = sum(job.unread == 1 for job in self._active)
        return len(self._active) + len(self._waiting) - writing, writing

    def add(self, job: Job) -> None:
        """Take a request, which must fit into a slot's context."""
        self._waiting.append(job)

    def remove(self, job: Job) -> None:
        """End a request, whatever it does; its slot is free for the next step."""
        if job.slot is None:
            self._waiting.remove(job)
            return
        self._active.remove(job)
        self._cache.release(job.slot)
        job.slot = None

    def plan(
        self, budget: int, pays: Callable[[Sequence[Job]], bool] = lambda _: False
    ) -> Step | None:
        """The next step, with at most ``budget`` prompt tokens beside growing answers.

        A prompt that has the model to itself is always read in the same chunks, so that it gives
        the same numbers. None: nothing to do.

        Args:
            budget: tokens.
            pays: whether guesses should be read beside the last tokens of answers that grow.

        """
        room = min(budget, self._chunk) if self._writing() else self._chunk
        placed, moves = self._place(room)
        writing = self._writing()
        room = min(budget, self._chunk) if writing else self._chunk
        guesses = [job.lookup.guess() for job in writing]
        # Sequences that read different numbers of tokens are computed one after the other, so
        # either all of them draft or none does.
        drafting = self._may_draft(writing) and pays(writing)
        runs = [
            _draft(job, guess) if drafting else _run(job, 1)
            for job, guess in zip(writing, guesses, strict=True)
        ]
        for job in self._active:
            if job.unread > 1 and room > 0:
                runs.append(_run(job, room))
                room -= len(runs[-1].tokens)
        # llama.cpp computes sequences at once only if they follow each other.
        runs.sort(key=lambda run: run.slot)
        return Step(placed, moves, tuple(runs)) if runs or moves else None

    def settle(self, step: Step) -> None:
        """Note that a step was made."""
        for run in step.runs:
            assert run.job.slot is not None
            run.job.slot.length += len(run.tokens)

    def reject(self, run: Run) -> None:
        """Note that the guess of a step that was settled is wrong; it has to be cut off."""
        assert run.job.slot is not None
        run.job.slot.length -= run.drafted

    def undo(self, step: Step) -> None:
        """Note that a step was given up and its tokens are not in the cache."""
        for run in step.runs:
            if not self._cache.partial and run.job.slot is not None:
                run.job.slot.length = 0  # what cannot be cut was cleared

    def _writing(self) -> list[Job]:
        return [job for job in self._active if job.unread == 1 and not job.paused]

    def _may_draft(self, writing: Sequence[Job]) -> bool:
        return self._cache.partial and all(
            not job.fresh and len(job.tokens) + 1 < job.most_tokens for job in writing
        )

    def _place(self, room: int) -> tuple[tuple[Job, ...], tuple[Move, ...]]:
        """Give slots to those that the step has room for: the later, the more is there to share."""
        placed: list[Job] = []
        moves: list[Move] = []
        room -= sum(job.unread for job in self._active if job.unread > 1)
        free = sum(not slot.busy for slot in self._cache.slots)
        for job in list(self._waiting)[:free]:  # one that holds back keeps its place in the line
            if room <= 0:
                break
            if self._is_worth_waiting(job):
                continue
            placement = self._cache.place(job.tokens, reuse=not job.fresh)
            assert placement is not None
            job.slot, job.reused = placement.slot, placement.reused
            moves += placement.moves
            self._waiting.remove(job)
            self._active.append(job)
            placed.append(job)
            room -= job.unread
        return tuple(placed), (*moves, *self._close_gaps())

    def _close_gaps(self) -> Iterator[Move]:
        while self._active:
            last = max(self._active, key=lambda job: job.slot.number if job.slot else -1)
            assert last.slot is not None
            closed = self._cache.close_gap(last.slot)
            if closed is None:
                return
            last.slot = closed[0]
            yield from closed[1]

    def _is_worth_waiting(self, job: Job) -> bool:
        """Whether a prompt that is being read now begins as this one does."""
        if job.fresh or not self._cache.partial:
            return False
        coming = max(
            (
                common_prefix(job.tokens, other.tokens, len(job.tokens) - 1)
                for other in self._active
                if other.unread > 1
            ),
            default=0,
        )
        return coming - self._cache.available(job.tokens) >= WORTH_WAITING


def _run(job: Job, room: int) -> Run:
    assert job.slot is not None
    start = job.read
    tokens = job.tokens[start : start + room]
    is_last = start + len(tokens) == len(job.tokens)
    return Run(job, job.slot.number, start, tokens, logits=is_last)


def _draft(job: Job, guess: int) -> Run:
    run = _run(job, 1)
    return replace(run, tokens=[*run.tokens, guess], drafted=1)
