"""Requests as sequences of tokens, and what one step of the model computes of them."""

from dataclasses import dataclass, field, replace

from xnai.llm.worker.moves import Move
from xnai.llm.worker.prefix_cache import Slot
from xnai.llm.worker.prompt_lookup import Lookup

NO_LIMIT = 2**31 - 1  # tokens


@dataclass(slots=True, eq=False)
class Sequence:
    """A request: its prompt, and the answer as it grows.

    ``tokens`` are prompt and answer, at most ``most_tokens``. A ``reproducible`` one gives the same
    text each time, whatever runs beside it: sums in another order round otherwise, and another
    token may be drawn. So it is alone in its steps, its prompt is computed in chunks of one size,
    it reuses only what was computed in these too, and nothing is drafted. ``turn`` is that of its
    last step.
    """

    id: int
    tokens: list[int]
    reproducible: bool = False
    most_tokens: int = NO_LIMIT
    paused: bool = False
    turn: int = 0
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

    @property
    def is_prompt(self) -> bool:
        """Whether more is to be computed than the last token."""
        return self.uncomputed > 1

    @property
    def is_due(self) -> bool:
        """Whether a step may compute some of it.

        What is computed now for a reader who has not read what there is would take the cores from
        those who wait.
        """
        return self.is_prompt or (self.uncomputed == 1 and not self.paused)


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


def shared_chunks(due: list[Sequence], room: int, drafted: int) -> list[ScheduledChunk]:
    """The chunks of a step that growing answers share with prompts, for which there is room."""
    chunks = [_draft(sequence, drafted) for sequence in due if not sequence.is_prompt]
    for sequence in due:
        # A prompt that finds no room left is skipped; it goes before later ones next time.
        if sequence.is_prompt and room > 0:
            chunks.append(chunk_of(sequence, room))
            room -= len(chunks[-1].tokens)
    # llama.cpp computes sequences at once only if they follow each other.
    return sorted(chunks, key=lambda chunk: chunk.slot)


def chunk_of(sequence: Sequence, room: int) -> ScheduledChunk:
    """The next tokens of a sequence that are not computed, at most so many."""
    assert sequence.slot is not None
    start = sequence.computed
    tokens = sequence.tokens[start : start + room]
    is_last = start + len(tokens) == len(sequence.tokens)
    return ScheduledChunk(sequence, sequence.slot.number, start, tokens, logits=is_last)


def _draft(sequence: Sequence, count: int) -> ScheduledChunk:
    chunk = chunk_of(sequence, 1)
    return replace(chunk, tokens=chunk.tokens + sequence.lookup.guess(count), drafted=count)
