"""A model read by llama.cpp's plainest calls: what logits it gives after given tokens."""

import ctypes
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Self

import llama_cpp.llama_cpp as lib
import numpy as np
from numpy.typing import NDArray

from xnai.llm.worker.tokenizer import NativeError, Vocabulary

Logits = NDArray[np.float32]


class LogitReading:
    """One model with one context of one sequence; a context manager.

    Args:
        path: the GGUF.
        tokens: how many the context holds, and how many are read in one batch at the most.
        threads: CPU threads.
        chunk: how many of a batch are computed at once; 0: all of them.
        gpu_layers: how many layers a GPU computes where there is one; negative: all.

    Raises:
        NativeError: llama.cpp refuses the file or a step.

    """

    def __init__(
        self, path: Path, tokens: int, threads: int, *, chunk: int = 0, gpu_layers: int = -1
    ) -> None:
        model_params = lib.llama_model_default_params()
        model_params.n_gpu_layers = gpu_layers
        self._model = lib.llama_model_load_from_file(os.fsencode(path), model_params)
        if not self._model:
            raise NativeError("llama.cpp does not accept the file")
        # The tiny models have no words, so no ``Vocabulary`` can be made of them.
        self._size = int(lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(self._model)))
        params = lib.llama_context_default_params()
        params.n_ctx = params.n_batch = tokens
        params.n_ubatch = chunk or tokens
        params.n_threads = params.n_threads_batch = threads
        self._context = lib.llama_init_from_model(self._model, params)
        if not self._context:
            raise NativeError("there is no memory for its context")
        self._batch = lib.llama_batch_init(tokens, 0, 1)
        self._length = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        lib.llama_batch_free(self._batch)
        lib.llama_free(self._context)
        lib.llama_model_free(self._model)

    def tokens(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        return Vocabulary(self._model).tokens(text, special=False)

    def forget(self) -> None:
        """Begin again with an empty sequence."""
        lib.llama_memory_clear(lib.llama_get_memory(self._context), True)  # noqa: FBT003
        self._length = 0

    def read(self, tokens: Sequence[int], wanted: Collection[int]) -> list[Logits]:
        """Read tokens in one batch; returns the logits after those at the wanted places of it."""
        for place, token in enumerate(tokens):
            self._batch.token[place] = token
            self._batch.pos[place] = self._length + place
            self._batch.n_seq_id[place] = 1
            self._batch.seq_id[place][0] = 0
            self._batch.logits[place] = place in wanted
        self._batch.n_tokens = len(tokens)
        status = lib.llama_decode(self._context, self._batch)
        if status != 0:
            raise NativeError(f"llama_decode returned {status}")
        self._length += len(tokens)
        return [self._logits(place) for place in wanted]

    def _logits(self, place: int) -> Logits:
        row = lib.llama_get_logits_ith(self._context, place)
        if not row:
            raise NativeError("it gives no logits")
        address = ctypes.cast(row, ctypes.POINTER(ctypes.c_float))
        return np.ctypeslib.as_array(address, (self._size,)).copy()
