"""The bundled model in this process, for tests of what the worker does with llama.cpp."""

import os

import llama_cpp.llama_cpp as lib
import numpy as np

from xnai.llm.gguf.catalogue import bundled_path
from xnai.llm.worker.sampler import Sampler
from xnai.llm.worker.tokenizer import Vocabulary
from xnai.types import Sampling

_silence = lib.llama_log_callback(lambda *_: None)


class NativeModel:
    """One context of one sequence."""

    def __init__(self) -> None:
        lib.llama_log_set(_silence, None)
        lib.llama_backend_init()
        params = lib.llama_model_default_params()
        self._model = lib.llama_model_load_from_file(os.fsencode(bundled_path()), params)
        self.vocabulary = Vocabulary(self._model)
        context = lib.llama_context_default_params()
        context.n_ctx = context.n_batch = 512
        context.n_threads = context.n_threads_batch = 1
        self.context = lib.llama_init_from_model(self._model, context)
        self.template = lib.llama_model_chat_template(self._model, None).decode()

    def read(self, tokens: list[int], *, fresh: bool = True) -> None:
        """Decode tokens, of which the last gives logits."""
        if fresh:
            lib.llama_memory_seq_rm(lib.llama_get_memory(self.context), 0, 0, -1)
        array = (lib.llama_token * len(tokens))(*tokens)
        assert lib.llama_decode(self.context, lib.llama_batch_get_one(array, len(tokens))) == 0

    def ask(self, text: str) -> None:
        """Read a question as the chat template writes it."""
        prompt = f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
        self.read(self.vocabulary.tokens(prompt, special=True))

    def answer(self, question: str, sampling: Sampling) -> tuple[str, str]:
        """The answer, and why it ended: ``stop``, ``last`` or ``length``."""
        sampler = Sampler(sampling, self.vocabulary)
        self.ask(question)
        text, reason = b"", "length"
        for _ in range(sampling.max_tokens):
            drawn = sampler.sample(self.context, -1)
            if self.vocabulary.ends(drawn.token):
                reason = "stop"
                break
            text += self.vocabulary.piece(drawn.token)
            if drawn.last:
                reason = "last"
                break
            self.read([drawn.token], fresh=False)
        sampler.free()
        return text.decode("utf-8", "replace"), reason

    def logits(self) -> np.ndarray:
        """A copy of those of the last token."""
        pointer = lib.llama_get_logits_ith(self.context, -1)
        return np.ctypeslib.as_array(pointer, (self.vocabulary.size,)).copy()
