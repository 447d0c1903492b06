"""What a middle layer of the model holds at the end of a prompt, beside the answer under way.

llama.cpp shows a layer's output only to an evaluation callback, which it calls for every operation
of every step: in Python, and with the interpreter's lock. So the steps of answers go without, and
a second context of one sequence has it. That takes the prompt over as a saved state, computes the
few tokens behind it, and gives up the step as soon as the layer is done.
"""

import ctypes
from collections.abc import Callable
from pathlib import Path

import llama_cpp.llama_cpp as lib
import numpy as np

from xnai.llm.protocol import StateRequest
from xnai.llm.worker.context import SavedState, bytes_of
from xnai.llm.worker.llama import Model
from xnai.llm.worker.outbox import log_line
from xnai.llm.worker.tokenizer import NativeError

_MOST_TOKENS = 16  # that are computed behind a prompt
_BASE = Path(lib.__file__).with_name("lib")
_NAMES = ("libggml-base.so", "libggml-base.dylib", "ggml-base.dll")
_FLOAT_BYTES = _WORD = 4
_MOST_SEQUENCES = 1024
_COUNT = 2  # the word of a saved sequence that says how many there are


class HiddenStates:
    """Reads hidden states of prompts; memory is taken with the first that is wanted.

    Args:
        model: the loaded weights.
        context: most tokens of a prompt.
        threads: CPU threads of a step.

    """

    def __init__(self, model: Model, context: int, threads: int) -> None:
        self._model = model
        self._tokens = context
        self._threads = threads
        self._context: object | None = None
        self._tap: _Tap | None = None
        self._failed = False

    def read(
        self, saved: Callable[[], SavedState], length: int, wanted: StateRequest
    ) -> tuple[float, ...]:
        """The hidden state that is wanted behind the first ``length`` tokens of a sequence.

        Empty where it cannot be had: the layer is not there, or no memory is, or this build does
        not show it. ``saved`` copies the sequence, and is called if it is needed only.
        """
        vocabulary = self._model.vocabulary
        tokens = vocabulary.tokens(wanted.after, special=False)
        fits = 0 < len(tokens) <= _MOST_TOKENS and length + len(tokens) <= self._tokens
        if self._failed or not fits or not 0 <= wanted.layer < self._model.layers - 1:
            return ()
        try:
            if self._tap is None or self._context is None:
                self._tap = _Tap(self._model.dimensions)
                self._context = self._open(self._tap)
            self._tap.listen(wanted.layer)
            self._compute(_of_one_sequence(saved()), length, tokens)
        except (NativeError, OSError) as exc:
            self._failed = True  # the answers go on without
            log_line("warning", f"no hidden states are read: {exc}")
            return ()
        return self._tap.values

    def _open(self, tap: "_Tap") -> object:
        params = lib.llama_context_default_params()
        params.n_ctx = self._tokens
        params.n_seq_max = 1
        params.n_batch = params.n_ubatch = _MOST_TOKENS
        params.n_threads = params.n_threads_batch = self._threads
        params.swa_full = True  # as in the context that states come from
        params.no_perf = True
        params.cb_eval = tap.callback
        context = lib.llama_init_from_model(self._model.pointer, params)
        if not context:
            raise NativeError(f"there is no memory for a second context of {self._tokens} tokens")
        return context

    def _compute(self, saved: SavedState, length: int, tokens: list[int]) -> None:
        memory = lib.llama_get_memory(self._context)
        if not lib.llama_state_seq_set_data(self._context, bytes_of(saved), saved.size, 0):
            raise NativeError("a sequence cannot be taken over")
        if not lib.llama_memory_seq_rm(memory, 0, length, -1):
            raise NativeError("a sequence cannot be cut")
        batch = lib.llama_batch_init(len(tokens), 0, 1)
        try:
            for index, token in enumerate(tokens):
                batch.token[index], batch.pos[index] = token, length + index
                batch.n_seq_id[index], batch.seq_id[index][0] = 1, 0
                batch.logits[index] = index == len(tokens) - 1
            batch.n_tokens = len(tokens)
            status = lib.llama_decode(self._context, batch)
        finally:
            lib.llama_batch_free(batch)
        if status != 0:
            raise NativeError(f"llama_decode returned {status}")


def _of_one_sequence(saved: SavedState) -> SavedState:
    """The state of a sequence, as a context has it that holds no others; changed in its place.

    llama.cpp writes two words of its own, how many sequences the cache has, and of each how many
    cells follow, none of the others; it takes back what a cache of as many has written.

    Raises:
        NativeError: it looks otherwise; where attention has two caches, it does.

    """
    words = saved[: saved.size // _WORD * _WORD].view(np.uint32)
    sequences = int(words[_COUNT]) if words.size > _COUNT else 0
    used = np.flatnonzero(words[_COUNT + 1 : _COUNT + 1 + sequences])
    if not 0 < sequences < _MOST_SEQUENCES or not used.size:
        raise NativeError("a saved sequence has a form that is not known")
    before = int(used[0])
    end = saved.size - (sequences - 1 - before) * _WORD
    if saved[end:].any():
        raise NativeError("a saved sequence has a form that is not known")
    words[before : before + _COUNT + 1] = [*words[:_COUNT], 1]
    return saved[before * _WORD : end]


class _Tap:
    """Copies the output of one layer, of its last token, and ends the step there."""

    def __init__(self, dimensions: int) -> None:
        self._name = b""
        self._bytes = dimensions * _FLOAT_BYTES
        self._buffer = np.empty(dimensions, np.float32)
        self.values: tuple[float, ...] = ()
        self._ggml = _library()
        self.callback = lib.ggml_backend_sched_eval_callback(self._called)

    def listen(self, layer: int) -> None:
        """Wait for the output of a layer; ``values`` holds it afterwards."""
        self._name, self.values = f"l_out-{layer}".encode(), ()

    def _called(self, tensor: int, ask: bool, _data: object) -> bool:
        """Say whether a tensor is wanted; once it is computed, take it and give up the rest."""
        if ask:
            return bool(self._ggml.ggml_get_name(tensor) == self._name)
        size = int(self._ggml.ggml_nbytes(tensor))
        if size >= self._bytes:
            at = ctypes.c_void_p(self._buffer.ctypes.data)
            self._ggml.ggml_backend_tensor_get(tensor, at, size - self._bytes, self._bytes)
            self.values = tuple(self._buffer.tolist())
        return False


def _library() -> ctypes.CDLL:
    """The part of llama.cpp that knows tensors; the one that is loaded already."""
    path = next((_BASE / name for name in _NAMES if (_BASE / name).exists()), None)
    if path is None:
        raise NativeError("this build has no shared libggml-base")
    ggml = ctypes.CDLL(str(path))
    ggml.ggml_get_name.argtypes, ggml.ggml_get_name.restype = [ctypes.c_void_p], ctypes.c_char_p
    ggml.ggml_nbytes.argtypes, ggml.ggml_nbytes.restype = [ctypes.c_void_p], ctypes.c_size_t
    size = ctypes.c_size_t
    ggml.ggml_backend_tensor_get.argtypes = [ctypes.c_void_p, ctypes.c_void_p, size, size]
    ggml.ggml_backend_tensor_get.restype = None
    return ggml
