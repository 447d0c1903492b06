"""What prompt lookup would gain: drafting an answer's next tokens from what was read before.

    python bench/lookup.py MODEL --paragraphs P.jsonl --questions Q.jsonl

An answer to a question about a text copies from it. Prompt lookup finds the last few tokens earlier
in prompt and answer, takes what followed there as a draft, and has the model read the draft in one
step; as much of it counts as the model would have drawn itself. Here real greedy answers are
replayed: the answers tell how much of each draft would have counted, and the time of a step with so
many tokens is measured beside. No figure of ours comes out of this; it is why there is no such
drafting in the engine. P has lines with _id and text, Q lines with text and pid.
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import llama_cpp.llama_cpp as lib
from bare import Bare
from prompts import message

LONGEST_NGRAM, DRAFTS = 3, (2, 3, 4)
POSITION = 400  # tokens read before a step is timed
ROUNDS = 9
STREAMS = 4
MOST_TOKENS = 80  # of an answer


def draft(tokens: Sequence[int], most: int) -> list[int]:
    """What followed the last time that the text ended as it does now."""
    for size in range(LONGEST_NGRAM, 1, -1):
        tail = tokens[-size:]
        for start in range(len(tokens) - size - 1, -1, -1):
            if tokens[start : start + size] == tail:
                return list(tokens[start + size : start + size + most])
    return []


def replay(prompt: list[int], answer: list[int], most: int) -> list[tuple[int, int]]:
    """The steps that an answer would have taken: tokens read, and tokens won."""
    steps, at = [], 0
    while at < len(answer):
        guess = draft([*prompt, *answer[:at]], most)
        right = 0
        while (
            right < len(guess) and answer[at + right : at + right + 1] == guess[right : right + 1]
        ):
            right += 1
        steps.append((1 + len(guess), right + 1))
        at += right + 1
    return steps


def generate(bare: Bare, messages: list[dict[str, str]], most: int) -> tuple[list[int], list[int]]:
    """A prompt's tokens, and those of its greedy answer."""
    prompt = bare.prompt(messages)
    lib.llama_memory_clear(lib.llama_get_memory(bare.context), 1)
    batch, answer, one = lib.llama_batch_get_one(prompt, len(prompt)), [], (lib.llama_token * 1)()
    while len(answer) < most:
        if lib.llama_decode(bare.context, batch):
            raise RuntimeError("llama_decode failed")
        one[0] = lib.llama_sampler_sample(bare.sampler, bare.context, -1)
        if lib.llama_vocab_is_eog(bare.vocab, one[0]):
            break
        answer.append(int(one[0]))
        batch = lib.llama_batch_get_one(one, 1)
    return list(prompt), answer


def step_seconds(bare: Bare, sizes: Sequence[int]) -> dict[int, float]:
    """Median time of a step of so many tokens, all with logits, measured by turns."""
    memory = lib.llama_get_memory(bare.context)
    lib.llama_memory_clear(memory, 1)
    filler = (lib.llama_token * POSITION)(*range(100, 100 + POSITION))
    lib.llama_decode(bare.context, lib.llama_batch_get_one(filler, POSITION))
    batch = lib.llama_batch_init(max(sizes), 0, 1)
    times: dict[int, list[float]] = {size: [] for size in sizes}
    for size in [*sizes] * ROUNDS:
        lib.llama_memory_seq_rm(memory, 0, POSITION, -1)
        for index in range(size):
            batch.token[index], batch.pos[index] = 500 + index, POSITION + index
            batch.n_seq_id[index], batch.seq_id[index][0] = 1, 0
            batch.logits[index] = True
        batch.n_tokens = size
        began = time.perf_counter()
        lib.llama_decode(bare.context, batch)
        times[size].append(time.perf_counter() - began)
    lib.llama_batch_free(batch)
    return {size: statistics.median(values) for size, values in times.items()}


def main() -> None:
    """Replay and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--paragraphs", type=Path, required=True)
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    rows = map(json.loads, options.paragraphs.read_text().splitlines())
    texts = {row["_id"]: row["text"] for row in rows}
    questions = [json.loads(line) for line in options.questions.read_text().splitlines()]
    random.Random(1).shuffle(questions)
    bare = Bare(options.model, 2048, options.threads)
    answers = [
        generate(
            bare, [message("user", f"{texts[q['pid']]}\n\nAnswer from the text. {q['text']}")], 80
        )
        for q in questions[: options.count]
    ]
    tokens = sum(len(answer) for _, answer in answers)
    longest = 1 + max(DRAFTS)
    seconds = step_seconds(bare, [*range(1, longest + 1), *range(STREAMS, STREAMS * longest + 1)])
    shown = ", ".join(f"{n}: {1000 * seconds[n]:.1f}" for n in range(1, longest + 1))
    print(f"{len(answers)} answers, {tokens} tokens; ms of a step of n tokens: {shown}")
    for most in DRAFTS:
        steps = [step for prompt, answer in answers for step in replay(prompt, answer, most)]
        alone = seconds[1] * tokens / sum(seconds[read] for read, _ in steps)
        # The other streams read as many tokens on average; their steps are taken together.
        among = sum(seconds[min(round(STREAMS * read), STREAMS * longest)] for read, _ in steps)
        together = seconds[STREAMS] * tokens / among
        print(
            f"drafts of {most}: {tokens / len(steps):.2f} tokens a step; tokens/s "
            f"x{alone:.2f} for one stream, x{together:.2f} for {STREAMS}"
        )


if __name__ == "__main__":
    main()
