"""Between the sequences in memory and what was read and is kept on disk."""

from collections.abc import Collection, Sequence
from pathlib import Path

from xnai.llm.worker.context import Context
from xnai.llm.worker.kept_states import KeptStates, Offered
from xnai.llm.worker.prefix_cache import PrefixCache
from xnai.llm.worker.sequence import Generated


class Keeping:
    """Brings in what a prompt can begin with, and puts away what was read.

    Args:
        context: the sequences, of a model of which each can be cut anywhere.
        cache: what they hold.
        files: what is kept on disk.

    """

    def __init__(self, context: Context, cache: PrefixCache, files: KeptStates) -> None:
        self._context = context
        self._cache = cache
        self._files = files
        self._taken: dict[int, Path] = {}  # where what is in the store came from, by its keys

    def wanted(self, prompt: Sequence[int]) -> Offered | None:
        """Read from the disk what spares much of a prompt's computing. From any thread."""
        return self._files.wanted(prompt, self._cache.available(prompt))

    def take(self, answer: Generated) -> None:
        """Put what was read from the disk for a prompt into the store, where it is found."""
        offered, answer.offered = answer.offered, None
        if offered is not None and (taken := self._cache.offer(offered.tokens)):
            key, dropped = taken
            self._context.move(dropped)
            self._context.put(key, offered.state)
            self._taken = {one: self._taken[one] for one in self._taken if one in self._cache.saved}
            self._taken[key] = offered.path

    def drop(self, keys: Collection[int]) -> None:
        """Remove what llama.cpp does not take, so that it is offered to nobody again."""
        for key in keys:
            if path := self._taken.pop(key, None):
                self._files.drop(path)

    def keep(self, answer: Generated, slot: int) -> None:
        """Keep a prompt that has just been read on disk, once, if it is asked for.

        It is written between two steps: such prompts are read while nobody asks, and whoever hears
        that the request is over may rely on the file.
        """
        name, answer.keep = answer.keep, ""
        if name:
            tokens = answer.sequence.tokens[: answer.sequence.prompt_tokens]
            self._files.keep(name, tokens, self._context.saved(slot))
