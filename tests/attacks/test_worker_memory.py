"""What the model's process keeps of past prompts is what it takes for them, in bytes."""

import json
import os
import subprocess
import sys

import pytest
from paths import ROOT

from xnai.llm.engine.launch import NATIVE_ENVIRONMENT

STORE = 300_000_000  # bytes
FEW = 12_000_000  # bytes of anything else

# The moves of hundreds of prompts, made with buffers as ``xnai.llm.worker.context`` makes them,
# beside the small things that a process allocates meanwhile.
_PROMPTS = """
import json, random, sys
from pathlib import Path
import numpy as np
from xnai.llm.worker.moves import Copy, Drop, Save
from xnai.llm.worker.prefix_cache import PrefixCache

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

token_bytes, source, store, small = 23040, random.Random(1), {}, []
cache = PrefixCache(8, store_tokens=int(sys.argv[1]) // token_bytes)

def state(tokens):
    made = np.empty(tokens * token_bytes, np.uint8)
    made[:] = 1
    return made

before, most_kept, most_held = resident(), 0, 0
for number in range(1200):
    length = source.choice([150, 300, 600, 900, 1200])
    placed = cache.place([*range(100), *(source.randrange(49000) for _ in range(length))])
    for move in placed.moves:
        if isinstance(move, Save):
            store[move.key] = state(len(cache.saved[move.key].tokens))
        elif isinstance(move, Drop):
            del store[move.key]
        elif isinstance(move, Copy):
            state(cache.slots[move.source].length)
    placed.slot.length = len(placed.slot.tokens)
    cache.release(placed.slot)
    small.append(bytearray(source.randrange(1000, 60000)))
    if len(small) > 100:
        del small[source.randrange(100)]
    most_kept = max(most_kept, sum(made.size for made in store.values()))
    most_held = max(most_held, resident() - before)
print(json.dumps([most_kept, most_held]))
"""


@pytest.mark.needs("glibc")
def test_states_that_come_and_go_take_no_more_memory_than_the_store_may_hold():
    run = subprocess.run(
        [sys.executable, "-c", _PROMPTS, str(STORE)],
        env={**os.environ, **NATIVE_ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    kept, held = json.loads(run.stdout)
    assert STORE // 2 < kept <= STORE
    assert held <= STORE + FEW + 1200 * 23040  # and one state that is being copied
