"""Which tokens lie in which sequence's cache, and what of it the next prompt can use.

Pure bookkeeping: what is decided here is returned as moves, and
``xnai.llm.worker.context`` makes them.
Besides the sequences of the running context there is a store in memory, into which a sequence goes
when its place is needed by a prompt that has little in common with it.
"""

import itertools
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from xnai.llm.worker.moves import Copy, Drop, Move, Restore, Save, Trim

LEAST_COPY = 16  # tokens: copying fewer costs as much as computing them again
LEAST_SAVE = 64  # tokens worth a place in the store
HALF_LIFE = 600.0  # seconds in which the worth of unused tokens halves
SAVED_LOSS = 0.1  # of a sequence's worth that is lost when it goes to the store
SPLIT_COST = 200  # tokens: what it costs that a slot is not next to those at work
QUADRATIC = 4096.0  # tokens at which attention costs as much as the rest of a step


@dataclass(slots=True)
class Slot:
    """A sequence of the context; the first ``length`` of ``tokens`` are in its cache.

    The first ``fixed`` of these were computed in whole chunks of one size, each alone in its step,
    so that whoever computes them again gets the very same numbers.
    """

    number: int
    tokens: list[int] = field(default_factory=list)
    length: int = 0
    fixed: int = 0
    busy: bool = False
    used: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Saved:
    """A sequence in the store."""

    key: int
    tokens: list[int]
    used: float
    fixed: int = 0  # as of a ``Slot``

    @property
    def length(self) -> int:
        """How many tokens it has, all of them computed."""
        return len(self.tokens)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a prompt goes, what has to be moved first, and how many of its tokens are there."""

    slot: Slot
    moves: tuple[Move, ...]
    reused: int


class PrefixCache:
    """Slots and store of one context.

    Args:
        slots: sequences of the context.
        store_tokens: tokens that the store may hold; 0: no store.
        partial: whether a sequence can be cut anywhere. That of a recurrent model cannot, so it is
            of use only to prompts that begin with all of it.
        clock: seconds.

    """

    def __init__(
        self,
        slots: int,
        *,
        store_tokens: int = 0,
        partial: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.slots = [Slot(number) for number in range(slots)]
        self.partial = partial
        self.saved: dict[int, Saved] = {}
        self._store_tokens = store_tokens
        self._clock = clock
        self._keys = itertools.count(1)

    def available(self, prompt: Sequence[int]) -> int:
        """Return how many tokens of a prompt need not be computed."""
        # Another thread may ask this while the loop moves things: it only gets a worse guess.
        kept: list[Slot | Saved] = [*self.slots, *self.saved.values()]
        return max((self._usable(prompt, one) for one in kept), default=0)

    def place(self, prompt: list[int], *, chunk: int = 0) -> Placement | None:
        """Take a free slot for a prompt; None if there is none.

        ``prompt`` becomes the slot's list of tokens; whoever computes them raises its ``length``.

        Args:
            prompt: the tokens.
            chunk: reuse nothing but whole chunks of so many tokens that were themselves computed
                in such chunks; 0: whatever there is.

        """
        free = [slot for slot in self.slots if not slot.busy]
        if not free:
            return None
        source, length = self._best(prompt, chunk)
        target = min(free, key=lambda slot: self._loss(slot, source, prompt))
        fixed = 0 if source is None else source.fixed
        moves = self._keep(target, prompt, source)
        if source is target:
            moves.append(Trim(target.number, length))
        elif isinstance(source, Slot) and length >= LEAST_COPY:
            moves.append(Copy(source.number, target.number, length))
            source.used = self._clock()
        elif isinstance(source, Saved):
            moves.append(Restore(source.key, target.number, length))
            if length == len(source.tokens):
                del self.saved[source.key]
                moves.append(Drop(source.key))
        else:
            length = 0
            moves.append(Trim(target.number, 0))
        target.tokens, target.length, target.busy = prompt, length, True
        target.fixed = min(fixed, length)
        return Placement(target, tuple(moves), length)

    def release(self, slot: Slot) -> None:
        """Give a slot back; what it holds stays until its place is needed."""
        slot.tokens = slot.tokens[: slot.length]
        slot.busy = False
        slot.used = self._clock()

    def offer(self, tokens: list[int]) -> tuple[int, tuple[Drop, ...]] | None:
        """Take a state from elsewhere into the store, if it is of use there.

        Returns its key, and what has to go before; None if it is not worth its place.
        """
        size = len(tokens)
        if size - self.available([*tokens, -1]) < LEAST_SAVE or size > self._store_tokens:
            return None
        moves: list[Drop] = []
        for old in sorted(self.saved.values(), key=self._density):
            if sum(one.length for one in self.saved.values()) + size <= self._store_tokens:
                break
            moves.append(self._drop(old))
        saved = Saved(next(self._keys), tokens, self._clock())
        self.saved[saved.key] = saved
        return saved.key, tuple(moves)

    def forget(self, keys: Collection[int]) -> None:
        """Note that the store has some no more."""
        for key in keys:
            self.saved.pop(key, None)

    def close_gap(self, last: Slot) -> tuple[Slot, tuple[Move, ...]] | None:
        """Move the sequence of the last busy slot into a gap before it; None if there is none.

        llama.cpp computes only neighbours at once: sequences 0, 2 and 4 take three passes.
        """
        first = min(slot.number for slot in self.slots if slot.busy)
        gaps = [slot for slot in self.slots[first : last.number] if not slot.busy]
        if not gaps:
            return None
        gap = min(gaps, key=lambda slot: self._worth(slot.length, slot.used))
        moves = [*self._keep(gap, last.tokens, None), Copy(last.number, gap.number, last.length)]
        gap.tokens, gap.length, gap.busy = last.tokens, last.length, True
        gap.fixed = last.fixed
        self.release(last)
        return gap, tuple(moves)

    def _best(self, prompt: Sequence[int], chunk: int) -> tuple[Slot | Saved | None, int]:
        """The longest usable prefix; in doubt from a free slot, where it need not be copied."""
        found: list[tuple[int, int, Slot | Saved]] = [
            (self._usable(prompt, slot, chunk), 2 - slot.busy, slot) for slot in self.slots
        ]
        found += [(self._usable(prompt, saved, chunk), 0, saved) for saved in self.saved.values()]
        length, _, source = max(found, key=lambda item: item[:2])
        return (source, length) if length else (None, 0)

    def _usable(self, prompt: Sequence[int], kept: Slot | Saved, chunk: int = 0) -> int:
        # The last token is computed in any case: its logits begin the answer.
        limit = min(kept.fixed if chunk else kept.length, len(prompt) - 1)
        common = common_prefix(prompt, kept.tokens, limit)
        if chunk:
            common -= common % chunk
        return common if self.partial or common == kept.length else 0

    def _loss(self, slot: Slot, source: Slot | Saved | None, prompt: Sequence[int]) -> float:
        """Return what it costs to place a prompt here, in tokens to be computed again.

        An example: slot 0 is at work; slot 1 holds 2,000 tokens of a conversation that rested for
        ten minutes, slot 2 holds 300 tokens that were used just now; the new prompt begins as
        neither does.

            worth of slot 1   2,000 * (1 + 2,000/4,096) * 2^-1  = 1,488
            worth of slot 2     300 * (1 +   300/4,096) * 2^0   =   322

            without a store   slot 1: 1,488 + 16 = 1,504   slot 2: 322 + 16 + 200 = 538
            with a store      slot 1:   149 + 16 =   165   slot 2:  32 + 16 + 200 = 248

        Without a store the 300 tokens go: they are soon computed again, and that the new prompt
        is not next to slot 0 costs less than a long conversation. With one, slot 1 is saved, which
        loses next to nothing, and the two at work are neighbours. Were slot 2 next to one at work
        as well, it would be taken, at 48.
        """
        kept = common_prefix(prompt, slot.tokens, slot.length)
        lost = self._worth(slot.length, slot.used) - self._worth(kept, slot.used)
        lost *= SAVED_LOSS if self._store_tokens else 1
        busy = [other.number for other in self.slots if other.busy]
        apart = bool(busy) and all(abs(slot.number - number) > 1 for number in busy)
        return lost + (0 if slot is source else LEAST_COPY) + SPLIT_COST * apart

    def _worth(self, tokens: int, used: float) -> float:
        # A late token is computed against all before it, so a long sequence is worth more than
        # its share; what nobody came back to for long, nobody will.
        age = self._clock() - used
        return float(tokens * (1 + tokens / QUADRATIC) * 2 ** (-age / HALF_LIFE))

    def _keep(self, slot: Slot, prompt: Sequence[int], source: Slot | Saved | None) -> list[Move]:
        """Save what a slot holds if it is about to be lost, and make room in the store for it.

        What the prompt is about to take from the store must not make room for it.
        """
        kept = common_prefix(prompt, slot.tokens, slot.length)
        size = slot.length
        if size - kept < LEAST_SAVE or self._is_elsewhere(slot):
            return []
        needed = len(source.tokens) if isinstance(source, Saved) else 0
        if needed + size > self._store_tokens:
            return []
        tokens = slot.tokens[:size]
        others = [old for old in self.saved.values() if old is not source]
        beginnings = [
            old for old in others if common_prefix(old.tokens, tokens, size) == len(old.tokens)
        ]
        moves: list[Move] = [self._drop(old) for old in beginnings]
        rest = sorted((old for old in others if old not in beginnings), key=self._density)
        for old in rest:
            if sum(len(kept.tokens) for kept in self.saved.values()) + size <= self._store_tokens:
                break
            moves.append(self._drop(old))
        saved = Saved(next(self._keys), tokens, slot.used, slot.fixed)
        self.saved[saved.key] = saved
        return [*moves, Save(slot.number, saved.key)]

    def _is_elsewhere(self, slot: Slot) -> bool:
        others = [(o.tokens, o.length) for o in self.slots if o is not slot]
        others += [(saved.tokens, len(saved.tokens)) for saved in self.saved.values()]
        return any(
            common_prefix(slot.tokens, tokens, min(slot.length, length)) == slot.length
            for tokens, length in others
        )

    def _density(self, saved: Saved) -> float:
        return self._worth(len(saved.tokens), saved.used) / len(saved.tokens)

    def _drop(self, saved: Saved) -> Drop:
        del self.saved[saved.key]
        return Drop(saved.key)


def common_prefix(first: Sequence[int], second: Sequence[int], limit: int) -> int:
    """Length of the common beginning of two lists, at most ``limit``."""
    low, high = 0, max(0, min(limit, len(first), len(second)))
    while low < high:  # by halves, so that the comparing is done by list slices
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
