"""A running llama.cpp context of several sequences: steps, and moves between sequences.

Every sequence has a cache of its own (``kv_unified = False``). In a cache that all share, each
token's attention walks the cells of all, which made a step of eight distinct prompts a quarter
slower and one with a chunk of prefill nearly twice as slow. What a shared cache would give for
nothing, the same beginning in two sequences, costs a copy here: ``llama_memory_seq_cp`` copies
the whole room of a sequence, used or not (some 30 ms), so the state of the one is saved and
restored into the other, which touches the used cells only (7 microseconds a token).
"""

import ctypes
from dataclasses import dataclass

import llama_cpp.llama_cpp as lib
import numpy as np
from numpy.typing import NDArray

from xnai.llm.ipc import WorkerConfig
from xnai.llm.worker.llama import AbortFlag, Model
from xnai.llm.worker.moves import Copy, Drop, Move, Restore, Save, Trim
from xnai.llm.worker.steps import ScheduledStep
from xnai.llm.worker.tokenizer import NativeError

MOST_ROWS = 2  # tokens of each sequence that logits are wanted of where all have as many
LEAST_ROWS = 12  # of all together, so that one alone may have many
DECODE_ABORTED = 2

SavedState = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class LostStates:
    """What moves could not do.

    ``slots`` hold nothing now; the states under ``keys`` llama.cpp does not take, and they are in
    the store no more.
    """

    slots: list[int]
    keys: list[int]


class AbortedError(Exception):
    """A step was given up because the abort flag was set."""


class Context:
    """The sequences of one model.

    Args:
        model: the loaded weights.
        config: how many sequences, most tokens of each and of a step, threads.
        abort: what gives up the step under way when it is set.

    Raises:
        NativeError: there is no memory for it.

    """

    def __init__(self, model: Model, config: WorkerConfig, abort: AbortFlag) -> None:
        slots, context = config.slots, config.context
        params = lib.llama_context_default_params()
        params.n_ctx = context * slots
        params.n_seq_max = slots
        params.kv_unified = False
        params.n_ubatch = min(config.chunk, context)
        self.most_rows = max(LEAST_ROWS, MOST_ROWS * slots)
        params.n_batch = params.n_ubatch + self.most_rows
        params.n_outputs_max = self.most_rows  # saves the room for the logits of a whole batch
        params.n_threads = params.n_threads_batch = config.threads
        params.swa_full = True  # keeps a window's older cells, without which no prefix is reused
        params.no_perf = True
        params.abort_callback = abort.callback
        params.abort_callback_data = abort.data
        self._context = lib.llama_init_from_model(model.pointer, params)
        if not self._context:
            raise NativeError(f"there is no memory for {slots} contexts of {context} tokens")
        self.slots = slots
        self.threads = config.threads
        self.context = int(lib.llama_n_ctx_seq(self._context))
        self.chunk_size = int(params.n_ubatch)
        self._memory = lib.llama_get_memory(self._context)
        self._store: dict[int, SavedState] = {}
        self.partial = True
        self.token_bytes = 1  # of the state of a sequence; known after the first run
        self._make_batch(int(params.n_batch))

    @property
    def pointer(self) -> object:
        """What llama.cpp's own functions take."""
        return self._context

    def put(self, key: int, state: SavedState) -> None:
        """Put a state that was kept elsewhere into the store."""
        self._store[key] = state

    def move(self, moves: tuple[Move, ...]) -> LostStates | None:
        """Cut, copy, save and restore sequences.

        Returns what could not be restored, with the slots that it or a copy of it was to go to.

        Raises:
            NativeError: llama.cpp fails; the context is of no use afterwards.

        """
        refused = LostStates([], [])
        # Several prompts may begin as one sequence does.
        copied: tuple[int, SavedState] | None = None
        for move in moves:
            match move:
                case Trim():
                    self._trim(move.slot, move.length)
                case Copy():
                    if copied is None or copied[0] != move.source:
                        copied = move.source, self.saved(move.source)
                    self._load(move.slot, copied[1], move.length)
                    refused.slots.extend([move.slot] * (move.source in refused.slots))
                case Save():
                    self._store[move.key] = self.saved(move.slot)
                case Restore():
                    self._restore(move, refused)
                case Drop():
                    del self._store[move.key]
            if copied is not None and not isinstance(move, Save | Drop) and move.slot == copied[0]:
                copied = None  # it holds something else now
        for key in refused.keys:
            self._store.pop(key, None)
        return refused if refused.slots else None

    def _restore(self, move: Restore, refused: LostStates) -> None:
        """Take a sequence from the store; if that fails, its slot holds nothing.

        A state from the disk may be of another engine.
        """
        try:
            self._load(move.slot, self._store[move.key], move.length)
        except NativeError:
            self._trim(move.slot, 0)
            refused.slots.append(move.slot)
            refused.keys.append(move.key)

    def decode(self, step: ScheduledStep) -> dict[int, int]:
        """Read the tokens of a step; returns the first row of logits of each slot that wanted them.

        Raises:
            AbortedError: the flag was set; nothing of this step counts.
            NativeError: llama.cpp fails.

        """
        rows = self._fill(step)
        status = lib.llama_decode(self._context, self._batch)
        if status == 0:
            return rows
        if status != DECODE_ABORTED:
            raise NativeError(f"llama_decode returned {status}")
        for chunk in step.chunks:
            self._trim(chunk.slot, chunk.start)
        raise AbortedError

    def cut(self, slot: int, length: int) -> None:
        """Keep the first ``length`` tokens of a sequence.

        Raises:
            NativeError: this model's sequences cannot be cut.

        """
        self._trim(slot, length)

    def warm_up(self, token: int) -> None:
        """Run the model once, which brings the weights into memory; find out what it can do.

        Raises:
            NativeError: the model gives no logits.

        """
        self._put(0, 0, 0, [token, token])
        self._logits[1] = 1
        self._batch.n_tokens = 2
        if lib.llama_decode(self._context, self._batch) != 0:
            raise NativeError("it cannot be run")
        if not lib.llama_get_logits_ith(self._context, 1):
            raise NativeError("it gives no logits")
        self.token_bytes = max(1, self.saved(0).size // 2)
        self.partial = bool(lib.llama_memory_seq_rm(self._memory, 0, 1, -1))
        lib.llama_memory_clear(self._memory, False)  # noqa: FBT003

    def _make_batch(self, size: int) -> None:
        self._batch = lib.llama_batch_init(size, 0, 1)
        array = np.ctypeslib.as_array
        self._tokens = array(self._batch.token, (size,))
        self._positions = array(self._batch.pos, (size,))
        self._logits = array(self._batch.logits, (size,))
        self._sequences = [self._batch.seq_id[index] for index in range(size)]
        array(self._batch.n_seq_id, (size,))[:] = 1

    def _fill(self, step: ScheduledStep) -> dict[int, int]:
        rows: dict[int, int] = {}
        used = 0
        for chunk in step.chunks:
            end = used + len(chunk.tokens)
            if end > len(self._tokens) or chunk.start + len(chunk.tokens) > self.context:
                raise NativeError(f"{end} tokens at {chunk.start} of {self.context} do not fit")
            self._put(used, chunk.slot, chunk.start, chunk.tokens)
            if chunk.rows:
                self._logits[end - chunk.rows : end] = 1
                rows[chunk.slot] = end - chunk.rows
            used = end
        self._batch.n_tokens = used
        return rows

    def _put(self, at: int, slot: int, position: int, tokens: list[int]) -> None:
        end = at + len(tokens)
        self._tokens[at:end] = tokens
        self._positions[at:end] = range(position, position + len(tokens))
        self._logits[at:end] = 0
        for index in range(at, end):
            self._sequences[index][0] = slot

    def _trim(self, slot: int, length: int) -> None:
        # Sequences that cannot be cut are never cut but to nothing, or where they end.
        if not lib.llama_memory_seq_rm(self._memory, slot, length, -1):
            if length and self.partial:
                raise NativeError(f"sequence {slot} cannot be cut to {length} tokens")
            lib.llama_memory_seq_rm(self._memory, slot, -1, -1)

    def saved(self, slot: int) -> SavedState:
        """A copy of all that a sequence holds.

        Raises:
            NativeError: llama.cpp fails.

        """
        size = lib.llama_state_seq_get_size(self._context, slot)
        state = np.empty(size, np.uint8)
        if lib.llama_state_seq_get_data(self._context, bytes_of(state), size, slot) != size:
            raise NativeError(f"sequence {slot} cannot be saved")
        return state

    def _load(self, slot: int, state: SavedState, length: int) -> None:
        if not lib.llama_state_seq_set_data(self._context, bytes_of(state), state.size, slot):
            raise NativeError(f"sequence {slot} cannot be restored")
        self._trim(slot, length)


def bytes_of(state: SavedState) -> object:
    """What llama.cpp takes a saved state from and puts it to."""
    return state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
