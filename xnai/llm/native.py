"""llama.cpp behind plain Python calls; imported by the worker process alone."""

import ctypes
import os
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import llama_cpp.llama_cpp as lib

from xnai.llm.vocabulary import NativeError, Vocabulary
from xnai.types import Sampling

BATCH = 256  # tokens of one step: more is hardly faster, and reports and cancels come later
REPEAT_WINDOW = 64  # generated tokens that the repeat penalty looks back on
DECODE_ABORTED = 2
MAX_SEED = 0xFFFF_FFFF
STALE_SECONDS = 600.0


class AbortedError(Exception):
    """A step was given up because the abort flag was set."""


class AbortFlag:
    """A flag that llama.cpp polls between the operations of a step without entering Python.

    The callback that llama.cpp wants is ``bool (*)(void *)``. ``strlen`` over two bytes is just
    that: 0 for an empty string, 1 when the first byte is set. A Python callback would take the
    interpreter lock several hundred times a token.
    """

    def __init__(self) -> None:
        self._bytes = ctypes.create_string_buffer(2)
        libc = ctypes.CDLL("msvcrt") if os.name == "nt" else ctypes.CDLL(None)
        self.callback = ctypes.cast(libc.strlen, lib.ggml_abort_callback)
        self.data = ctypes.cast(self._bytes, ctypes.c_void_p)

    def set(self) -> None:
        """Give up the step under way, and those to come."""
        self._bytes[0] = b"\x01"

    def clear(self) -> None:
        """Let steps run."""
        self._bytes[0] = b"\x00"

    def is_set(self) -> bool:
        """Whether steps are given up."""
        return self._bytes[0] != b"\x00"


class Sampler:
    """Draws tokens; ``top_k`` comes first, so the rest looks at a few candidates only.

    Only generated tokens are penalised: an answer is meant to repeat words of its documents.
    """

    def __init__(self, sampling: Sampling, vocab_size: int) -> None:
        greedy = sampling.temperature <= 0
        self._chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        self._add(lib.llama_sampler_init_top_k(sampling.top_k))
        if sampling.repeat_penalty != 1:
            self._add(
                lib.llama_sampler_init_penalties(
                    vocab_size, REPEAT_WINDOW, sampling.repeat_penalty, 0.0, 0.0
                )
            )
        if greedy:
            self._add(lib.llama_sampler_init_greedy())
            return
        self._add(lib.llama_sampler_init_top_p(sampling.top_p, 1))
        self._add(lib.llama_sampler_init_min_p(sampling.min_p, 1))
        self._add(lib.llama_sampler_init_temp(sampling.temperature))
        seed = secrets.randbits(32) if sampling.seed is None else sampling.seed
        self._add(lib.llama_sampler_init_dist(seed & MAX_SEED))

    def _add(self, sampler: object) -> None:
        lib.llama_sampler_chain_add(self._chain, sampler)

    def sample(self, context: object) -> int:
        """Draw the next token from the last step's logits, and remember it."""
        return int(lib.llama_sampler_sample(self._chain, context, -1))

    def free(self) -> None:
        """Give the memory back."""
        lib.llama_sampler_free(self._chain)


class Model:
    """A loaded model with one context of one sequence.

    Args:
        path: the GGUF.
        context: tokens of prompt and answer together.
        threads: CPU threads of a step.
        on_progress: called with 0 to 1 while the file is read.
        abort: what gives up the step under way when it is set.

    Raises:
        NativeError: the file or the context cannot be made, or it is no model that generates.

    """

    def __init__(
        self,
        path: Path,
        context: int,
        threads: int,
        on_progress: Callable[[float], None],
        abort: AbortFlag,
    ) -> None:
        lib.llama_backend_init()
        model_params = lib.llama_model_default_params()

        def progress(value: float, _data: object) -> bool:
            on_progress(value)
            return True

        model_params.progress_callback = lib.llama_progress_callback(progress)
        self._model = lib.llama_model_load_from_file(os.fsencode(path), model_params)
        if not self._model:
            raise NativeError("llama.cpp does not accept the file")
        if lib.llama_model_has_encoder(self._model) or lib.llama_model_is_diffusion(self._model):
            raise NativeError("it is not a model that writes text token by token")
        self.vocabulary = Vocabulary(self._model)
        if self.vocabulary.size <= 0 or self._metadata("pooling_type") not in {"", "0"}:
            raise NativeError("it is an embedding model and does not write text")
        self._abort = abort
        params = self._context_params(context, threads)
        self._context = lib.llama_init_from_model(self._model, params)
        if not self._context:
            raise NativeError(f"there is no memory for a context of {context} tokens")
        self.context = int(lib.llama_n_ctx_seq(self._context))
        self.parameters = int(lib.llama_model_n_params(self._model))
        self._memory = lib.llama_get_memory(self._context)
        self._cached: list[int] = []

    def _context_params(self, context: int, threads: int) -> object:
        params = lib.llama_context_default_params()
        params.n_ctx = context
        params.n_batch = params.n_ubatch = min(BATCH, context)
        params.n_seq_max = 1
        params.n_threads = params.n_threads_batch = threads
        params.swa_full = True  # keeps a window's older cells, without which no prefix is reused
        params.no_perf = True
        params.abort_callback = self._abort.callback
        params.abort_callback_data = self._abort.data
        return params

    def _metadata(self, key: str) -> str:
        architecture = self._value("general.architecture")
        return self._value(f"{architecture}.{key}")

    def _value(self, key: str) -> str:
        buffer = ctypes.create_string_buffer(256)
        count = lib.llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if count >= 0 else ""

    @property
    def chat_template(self) -> str:
        """The Jinja text in the file; empty if there is none."""
        template = lib.llama_model_chat_template(self._model, None) or b""
        return bytes(template).decode("utf-8", "replace")

    def reuse(self, tokens: Sequence[int]) -> int:
        """Keep the longest common prefix with what was last read; returns its length.

        The last token is always read again, because its logits begin the answer.
        """
        limit = min(len(tokens) - 1, len(self._cached))
        length = next((i for i in range(limit) if tokens[i] != self._cached[i]), limit)
        if not lib.llama_memory_seq_rm(self._memory, 0, length, -1):
            lib.llama_memory_clear(self._memory, False)  # noqa: FBT003 - recurrent models
            length = 0
        del self._cached[length:]
        return length

    def decode(self, tokens: Sequence[int]) -> None:
        """Read tokens after those that were read before, at most ``BATCH`` of them.

        Raises:
            AbortedError: the flag was set; nothing of this call counts.
            NativeError: they do not fit, or llama.cpp fails.

        """
        start = len(self._cached)
        if not tokens or len(tokens) > BATCH or start + len(tokens) > self.context:
            raise NativeError(f"{len(tokens)} tokens at {start} of {self.context}")
        array = (lib.llama_token * len(tokens))(*tokens)
        status = lib.llama_decode(self._context, lib.llama_batch_get_one(array, len(tokens)))
        if status == 0:
            self._cached.extend(tokens)
            return
        if not lib.llama_memory_seq_rm(self._memory, 0, start, -1):
            lib.llama_memory_clear(self._memory, False)  # noqa: FBT003
            self._cached.clear()
        if status == DECODE_ABORTED:
            raise AbortedError
        raise NativeError(f"llama_decode returned {status}")

    @property
    def room(self) -> int:
        """Tokens that still fit into the context."""
        return self.context - len(self._cached)

    def sampler(self, sampling: Sampling) -> Sampler:
        """A fresh sampler for one answer."""
        return Sampler(sampling, self.vocabulary.size)

    def sample(self, sampler: Sampler) -> int:
        """Draw a token after the last ``decode``."""
        return sampler.sample(self._context)

    def warm_up(self) -> None:
        """Run one token through the weights, which also brings them into memory.

        Raises:
            NativeError: the model gives no logits.

        """
        self.decode([max(self.vocabulary.bos, 0)])
        if not lib.llama_get_logits_ith(self._context, -1):
            raise NativeError("it gives no logits")
        lib.llama_memory_clear(self._memory, False)  # noqa: FBT003
        self._cached.clear()


def requantise(source: Path, target: Path, threads: int) -> None:
    """Write a Q8_0 copy of a model; ``target`` appears whole or not at all.

    Raises:
        NativeError: llama.cpp fails, for one because the disk is full.

    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for old in target.parent.glob(f"{target.stem}.*.tmp"):  # left by a run that was killed
        if time.time() - old.stat().st_mtime > STALE_SECONDS:
            old.unlink(missing_ok=True)
    temporary = target.with_suffix(f".{os.getpid()}.tmp")
    params = lib.llama_model_quantize_default_params()
    params.nthread = threads
    params.ftype = lib.LLAMA_FTYPE_MOSTLY_Q8_0
    params.allow_requantize = True
    try:
        status = lib.llama_model_quantize(
            os.fsencode(source), os.fsencode(temporary), ctypes.byref(params)
        )
        if status != 0:
            raise NativeError(f"llama_model_quantize returned {status}")
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
