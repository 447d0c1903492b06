"""The bare loop to compare with: llama.cpp's low-level API and nothing around it.

    python bench/bare.py MODEL CONTEXT THREADS

Reads a job as JSON a line, {"messages": [...], "tokens": n}, and writes its figures as JSON a line:
seconds to the first token and from the first to the last, tokens of prompt and answer. Each job
starts from an empty cache; everything that is not said is llama.cpp's default.
"""

import ctypes
import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import llama_cpp.llama_cpp as lib

PIECE_BYTES = 256


class Bare:
    """A model, a context and a greedy sampler."""

    def __init__(self, path: str, context: int, threads: int) -> None:
        self._quiet = lib.llama_log_callback(lambda *_: None)
        lib.llama_log_set(self._quiet, None)
        lib.llama_backend_init()
        self.model = lib.llama_model_load_from_file(path.encode(), lib.llama_model_default_params())
        self.vocab = lib.llama_model_get_vocab(self.model)
        params = lib.llama_context_default_params()
        params.n_ctx = context
        params.n_threads = params.n_threads_batch = threads
        params.no_perf = True
        self.context = lib.llama_init_from_model(self.model, params)
        self.sampler = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        lib.llama_sampler_chain_add(self.sampler, lib.llama_sampler_init_greedy())

    def prompt(self, messages: Sequence[dict[str, str]]) -> Any:
        """The rendered messages as an array of tokens."""
        chat = (lib.llama_chat_message * len(messages))()
        for slot, message in zip(chat, messages, strict=True):
            slot.role, slot.content = message["role"].encode(), message["content"].encode()
        template = lib.llama_model_chat_template(self.model, None)
        size = 4096 + 2 * sum(len(m["content"].encode()) for m in messages)
        text = ctypes.create_string_buffer(size)
        length = lib.llama_chat_apply_template(template, chat, len(messages), 1, text, size)
        tokens = (lib.llama_token * size)()
        count = lib.llama_tokenize(self.vocab, text.raw[:length], length, tokens, size, 1, 1)
        return (lib.llama_token * count)(*tokens[:count])

    def generate(self, prompt: Any, count: int) -> Iterator[bytes]:
        """Decode and yield the text of ``count`` tokens."""
        lib.llama_memory_clear(lib.llama_get_memory(self.context), 1)
        piece = ctypes.create_string_buffer(PIECE_BYTES)
        batch = lib.llama_batch_get_one(prompt, len(prompt))
        one = (lib.llama_token * 1)()
        for _ in range(count):
            if lib.llama_decode(self.context, batch):
                raise RuntimeError("llama_decode failed")
            one[0] = lib.llama_sampler_sample(self.sampler, self.context, -1)
            size = lib.llama_token_to_piece(self.vocab, one[0], piece, PIECE_BYTES, 0, 1)
            yield piece.raw[: max(size, 0)]
            batch = lib.llama_batch_get_one(one, 1)


def run(bare: Bare, job: dict[str, Any]) -> dict[str, float]:
    began = time.perf_counter()
    prompt = bare.prompt(job["messages"])
    times = [time.perf_counter() for _ in bare.generate(prompt, job["tokens"])]
    return {
        "first": times[0] - began,
        "rest": times[-1] - times[0],
        "tokens": len(times),
        "prompt_tokens": len(prompt),
    }


def main() -> None:
    path, context, threads = sys.argv[1:]
    bare = Bare(path, int(context), int(threads))
    for line in sys.stdin:
        print(json.dumps(run(bare, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
