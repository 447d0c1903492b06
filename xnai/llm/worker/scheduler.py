"""What the next step of the model computes: continuous batching with chunked prefill.

No input or output and no llama.cpp in here: requests and tokens go in, steps come out. To the
scheduler prefill and decode are the same thing. A sequence is a list of tokens of which the first
are computed, that is, they lie in the cache; each step computes some of the rest. One uncomputed
token is the usual state of an answer that grows; many are a prompt, which shares what room the
others leave.

    waiting --_place--> active --schedule--> in a step --commit----> active, some tokens further
                                                       --roll_back-> active, as before
    waiting or active --remove--> its slot is free; what it holds is the prefix cache's

Continuous batching is that of Orca (Yu et al., OSDI 2022), chunked prefill that of Sarathi-Serve
(Agrawal et al., OSDI 2024).
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace

from xnai.llm.worker.moves import Move
from xnai.llm.worker.prefix_cache import PrefixCache, Slot, common_prefix
from xnai.llm.worker.prompt_lookup import Lookup

NO_LIMIT = 2**31 - 1  # tokens
# Tokens that another prompt is about to compute, for which one that begins alike holds back. Each
# token of a prompt of the 1.5B model takes some 5 ms on two cores, a step in between some 70.
WORTH_WAITING = 32


@dataclass(slots=True, eq=False)
class Sequence:
    """A request: its prompt, and the answer as it grows.

    ``tokens`` are prompt and answer, at most ``most_tokens``. A ``reproducible`` one gives the same
    text each time: its prompt is computed in chunks of one size, it reuses only what was computed
    in these too, and nothing is drafted, since sums in another order round otherwise and another
    token may be drawn.
    """

    id: int
    tokens: list[int]
    reproducible: bool = False
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
    def computed(self) -> int:
        """Tokens that are in the cache."""
        return 0 if self.slot is None else self.slot.length

    @property
    def uncomputed(self) -> int:
        """Tokens that have to be computed before the next one can be drawn."""
        return len(self.tokens) - self.computed


@dataclass(frozen=True, slots=True)
class ScheduledChunk:
    """Consecutive tokens of one sequence; of the last one logits may be wanted.

    ``drafted`` of them, the last ones, are guessed: logits are wanted of these too and of the one
    before them.
    """

    sequence: Sequence
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
class ScheduledStep:
    """One call of the model, and what has to be moved before it."""

    placed: tuple[Sequence, ...]  # those that got a slot for it
    moves: tuple[Move, ...]
    chunks: tuple[ScheduledChunk, ...]
    prefills: tuple[ScheduledChunk, ...]  # those of the chunks that belong to prompts


class Scheduler:
    """Shares steps among requests, first come first served.

    Args:
        cache: the slots, and what they hold.
        chunk_size: most prompt tokens of one step.

    """

    def __init__(self, cache: PrefixCache, chunk_size: int) -> None:
        self._cache = cache
        self._chunk_size = chunk_size
        self._waiting: list[Sequence] = []
        self._active: list[Sequence] = []  # in the order of their arrival

    @property
    def sequences(self) -> list[Sequence]:
        """All that are not over, those at work first."""
        return [*self._active, *self._waiting]

    @property
    def load(self) -> tuple[int, int]:
        """How many prompts are being computed or wait for it, and how many answers grow."""
        writing = sum(sequence.uncomputed == 1 for sequence in self._active)
        return len(self._active) + len(self._waiting) - writing, writing

    def add(self, sequence: Sequence) -> None:
        """Take a request, which must fit into a slot's context."""
        self._waiting.append(sequence)

    def remove(self, sequence: Sequence) -> None:
        """End a request, whatever it does; its slot is free for the next step."""
        if sequence.slot is None:
            self._waiting.remove(sequence)
            return
        self._active.remove(sequence)
        self._cache.release(sequence.slot)
        sequence.slot = None

    def schedule(
        self, budget: int, guesses: Callable[[list[int]], int] = lambda _: 0
    ) -> ScheduledStep | None:
        """Return the next step, with at most ``budget`` prompt tokens beside growing answers.

        A prompt that has the model to itself is always computed in the same chunks, so that it
        gives the same numbers. None: nothing to do.

        Args:
            budget: tokens; fewer keep growing answers fluent, more bring the first token sooner.
            guesses: how many tokens should be guessed and computed beside the last one of each
                answer that grows, by how many tokens agree where the guesses are taken from.

        """
        room = self._room(budget)
        placed, moves = self._place(room)
        # All but the last token of a prompt that was placed may be computed: then it is writing.
        room, writing = self._room(budget), self._writing()
        # llama.cpp computes sequences together only if each has the same number of tokens, so all
        # of them have as many guesses.
        drafted = min(self._room_for_drafts(writing), guesses([o.lookup.look() for o in writing]))
        chunks = [_draft(sequence, drafted) for sequence in writing]
        for sequence in self._active:
            # A prompt that finds no room left is skipped; it goes before later ones next time.
            if sequence.uncomputed > 1 and room > 0:
                chunks.append(_chunk(sequence, room))
                room -= len(chunks[-1].tokens)
        # llama.cpp computes sequences at once only if they follow each other.
        chunks.sort(key=lambda chunk: chunk.slot)
        if not chunks and not moves:
            return None
        prefills = (one for one in chunks if one.start < one.sequence.prompt_tokens)
        return ScheduledStep(placed, moves, tuple(chunks), tuple(prefills))

    def commit(self, step: ScheduledStep) -> None:
        """Note that a step was made."""
        for chunk in step.chunks:
            slot = chunk.sequence.slot
            assert slot is not None
            is_whole = len(step.chunks) == 1 and len(chunk.tokens) == self._chunk_size
            if is_whole and chunk.start == slot.fixed and not chunk.start % self._chunk_size:
                slot.fixed += len(chunk.tokens)
            slot.length += len(chunk.tokens)

    def reject(self, chunk: ScheduledChunk, wrong: int) -> None:
        """Note that the last guesses of a step that was committed are wrong and are cut off."""
        assert chunk.sequence.slot is not None
        chunk.sequence.slot.length -= wrong

    def lose(self, slots: Collection[int]) -> None:
        """Note that slots hold nothing of what they were to hold."""
        for slot in self._cache.slots:  # some may be free again, their sequence moved into a gap
            if slot.number in slots:
                slot.length = slot.fixed = 0
        for sequence in self._active:
            if sequence.slot is not None and sequence.slot.number in slots:
                sequence.reused = 0

    def roll_back(self, step: ScheduledStep) -> None:
        """Note that a step was given up and its tokens are not in the cache."""
        for chunk in step.chunks:
            if not self._cache.partial and chunk.sequence.slot is not None:
                # What cannot be cut was cleared.
                chunk.sequence.slot.length = chunk.sequence.slot.fixed = 0

    def _room(self, budget: int) -> int:
        """Return how many prompt tokens the next step may have."""
        # With nobody's next token to wait for, a long step costs nobody anything.
        return min(budget, self._chunk_size) if self._writing() else self._chunk_size

    def _writing(self) -> list[Sequence]:
        # A paused one is skipped: its reader has not read what there is, and what is computed
        # for it now would take the cores from those who wait.
        return [one for one in self._active if one.uncomputed == 1 and not one.paused]

    def _room_for_drafts(self, writing: list[Sequence]) -> int:
        """How many tokens may be guessed for each answer at most."""
        if not self._cache.partial or any(one.reproducible for one in writing):
            return 0
        return max(0, min((one.most_tokens - len(one.tokens) - 1 for one in writing), default=0))

    def _place(self, room: int) -> tuple[tuple[Sequence, ...], tuple[Move, ...]]:
        """Give slots to those that the step has room for.

        One that it has no room for stays in the line, although a slot is free: the later it is
        placed, the more of its beginning others have computed by then, and a slot that it would
        hold idle may lose what the next one could have used.
        """
        placed: list[Sequence] = []
        moves: list[Move] = []
        room -= sum(sequence.uncomputed for sequence in self._active if sequence.uncomputed > 1)
        free = sum(not slot.busy for slot in self._cache.slots)
        for sequence in list(self._waiting)[:free]:  # who holds back keeps the place in the line
            if room <= 0:
                break
            if self._is_worth_waiting(sequence):
                continue  # those behind it may go first: they do not want what it waits for
            placement = self._cache.place(
                sequence.tokens, chunk=self._chunk_size if sequence.reproducible else 0
            )
            assert placement is not None
            sequence.slot, sequence.reused = placement.slot, placement.reused
            moves += placement.moves
            self._waiting.remove(sequence)
            self._active.append(sequence)
            placed.append(sequence)
            room -= sequence.uncomputed
        return tuple(placed), (*moves, *self._close_gaps())

    def _close_gaps(self) -> Iterator[Move]:
        while self._active:
            last = max(self._active, key=lambda one: one.slot.number if one.slot else -1)
            assert last.slot is not None
            closed = self._cache.close_gap(last.slot)
            if closed is None:
                return
            last.slot = closed[0]
            yield from closed[1]

    def _is_worth_waiting(self, sequence: Sequence) -> bool:
        """Whether a prompt that is being computed now begins as this one does.

        Questions about one document come together and begin with the same passages. The second
        then takes a copy of what the first has computed, instead of computing it beside it.
        """
        if sequence.reproducible or not self._cache.partial:
            return False  # it takes nothing over from others, or cannot take a part
        coming = max(
            (
                common_prefix(sequence.tokens, other.tokens, len(sequence.tokens) - 1)
                for other in self._active
                if other.uncomputed > 1
            ),
            default=0,
        )
        return coming - self._cache.available(sequence.tokens) >= WORTH_WAITING


def _chunk(sequence: Sequence, room: int) -> ScheduledChunk:
    assert sequence.slot is not None
    start = sequence.computed
    tokens = sequence.tokens[start : start + room]
    is_last = start + len(tokens) == len(sequence.tokens)
    return ScheduledChunk(sequence, sequence.slot.number, start, tokens, logits=is_last)


def _draft(sequence: Sequence, count: int) -> ScheduledChunk:
    chunk = _chunk(sequence, 1)
    return replace(chunk, tokens=chunk.tokens + sequence.lookup.guess(count), drafted=count)
