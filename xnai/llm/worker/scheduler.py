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

from xnai.llm.worker.moves import Move
from xnai.llm.worker.prefix_cache import PrefixCache, common_prefix
from xnai.llm.worker.steps import (
    ScheduledChunk,
    ScheduledStep,
    Sequence,
    chunk_of,
    shared_chunks,
)

# Tokens that another prompt is about to compute, for which one that begins alike holds back. Each
# token of a prompt of the 1.5B model takes some 5 ms on two cores, a step in between some 70.
WORTH_WAITING = 32
# Tokens of a prompt that gives the same text each time, in a step: so many whatever else there is
# to do, and no more than others can wait for.
FIXED_CHUNK = 128


class Scheduler:
    """Shares steps among requests, first come first served.

    Reproducible ones have each a step of their own, in turns with the step that the others share.

    Args:
        cache: the slots, and what they hold.
        chunk_size: most prompt tokens of one step.

    """

    def __init__(self, cache: PrefixCache, chunk_size: int) -> None:
        self._cache = cache
        self._chunk_size = chunk_size
        self._fixed_chunk = min(chunk_size, FIXED_CHUNK)
        self._turn = self._shared_turn = 0
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

        None: nothing to do.

        Args:
            budget: tokens; fewer keep growing answers fluent, more bring the first token sooner.
            guesses: how many tokens should be guessed and computed beside the last one of each
                answer that grows, by how many tokens agree where the guesses are taken from.

        """
        room = self._room(budget)
        placed, moves = self._place(room)
        self._turn += 1
        due = [one for one in self._active if one.is_due]
        alone = min((o for o in due if o.reproducible), key=lambda o: o.turn, default=None)
        shared = [one for one in due if not one.reproducible]
        if alone is not None and not (shared and self._shared_turn < alone.turn):
            alone.turn = self._turn
            chunks = [chunk_of(alone, self._fixed_chunk)]
        else:
            self._shared_turn = self._turn
            # All but the last token of a prompt that was placed may be computed: it writes then.
            chunks = shared_chunks(shared, self._room(budget), self._guesses(shared, guesses))
        if not chunks and not moves:
            return None
        prefills = (one for one in chunks if one.start < one.sequence.prompt_tokens)
        return ScheduledStep(placed, moves, tuple(chunks), tuple(prefills))

    def _guesses(self, shared: list[Sequence], guesses: Callable[[list[int]], int]) -> int:
        """How many tokens to guess beside the last one of each answer that grows."""
        writing = [one for one in shared if not one.is_prompt]
        # llama.cpp computes sequences together only if each has the same number of tokens, so all
        # of them have as many guesses.
        return min(self._room_for_drafts(writing), guesses([o.lookup.look() for o in writing]))

    def commit(self, step: ScheduledStep) -> None:
        """Note that a step was made."""
        for chunk in step.chunks:
            slot = chunk.sequence.slot
            assert slot is not None
            is_whole = len(step.chunks) == 1 and len(chunk.tokens) == self._fixed_chunk
            if is_whole and chunk.start == slot.fixed and not chunk.start % self._fixed_chunk:
                slot.fixed += len(chunk.tokens)
            slot.length += len(chunk.tokens)

    def reject(self, chunk: ScheduledChunk, wrong: int) -> None:
        """Note that the last guesses of a step that was committed are wrong and are cut off."""
        assert chunk.sequence.slot is not None
        chunk.sequence.slot.length -= wrong

    def lose(self, slots: Collection[int], keys: Collection[int] = ()) -> None:
        """Note that slots hold nothing of what they were to hold, and what left the store."""
        self._cache.forget(keys)
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
        is_awaited = any(one.is_due and not one.is_prompt for one in self._active)
        return min(budget, self._chunk_size) if is_awaited else self._chunk_size

    def _room_for_drafts(self, writing: list[Sequence]) -> int:
        """How many tokens may be guessed for each answer at most."""
        if not self._cache.partial:
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
        room -= sum(o.uncomputed for o in self._active if o.is_prompt and not o.reproducible)
        free = sum(not slot.busy for slot in self._cache.slots)
        for sequence in list(self._waiting)[:free]:  # who holds back keeps the place in the line
            if self._holds_back(sequence, room):
                continue  # those behind it may go first: they do not want what it waits for
            placement = self._cache.place(
                sequence.tokens, chunk=self._fixed_chunk if sequence.reproducible else 0
            )
            assert placement is not None
            sequence.slot, sequence.reused = placement.slot, placement.reused
            moves += placement.moves
            self._waiting.remove(sequence)
            self._active.append(sequence)
            placed.append(sequence)
            room -= 0 if sequence.reproducible else sequence.uncomputed
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

    def _holds_back(self, sequence: Sequence, room: int) -> bool:
        """Whether a prompt is better placed later than now."""
        if sequence.reproducible:  # it takes over from its like alone, once they are computed
            return any(one.reproducible and one.is_prompt for one in self._active)
        return room <= 0 or self._is_worth_waiting(sequence)

    def _is_worth_waiting(self, sequence: Sequence) -> bool:
        """Whether a prompt that is being computed now begins as this one does.

        Questions about one document come together and begin with the same passages. The second
        then takes a copy of what the first has computed, instead of computing it beside it.
        """
        if not self._cache.partial:
            return False  # it cannot take a part
        coming = max(
            (
                common_prefix(sequence.tokens, other.tokens, len(sequence.tokens) - 1)
                for other in self._active
                if other.is_prompt
            ),
            default=0,
        )
        return coming - self._cache.available(sequence.tokens) >= WORTH_WAITING
