"""A process that waits for a processor is told from one that sleeps or works."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from rig.waiting import stays, wait_until
from xnai.processes.waiting import ProcessorWait

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")

BUSY = "while True: pass"
ASLEEP = "import time; print(flush=True); time.sleep(600)"


@contextmanager
def on_one_processor(code: str) -> Iterator[int]:
    command = [sys.executable, "-c", code]
    # A session of its own, as a worker has: Linux shares processors out among sessions.
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
            if code is ASLEEP:
                assert process.stdout is not None
                process.stdout.readline()
            yield process.pid
        finally:
            process.kill()


def test_a_process_beside_busy_ones_waits_most_of_the_time():
    with ExitStack() as stack:
        pids = [stack.enter_context(on_one_processor(BUSY)) for _ in range(5)]
        seen = ProcessorWait(pids[0])
        wait_until(lambda: seen.share() > 0.5, "it waits", pace=0.3)


async def test_a_process_that_sleeps_does_not_wait_however_busy_the_machine_is():
    with ExitStack() as stack:
        pid = stack.enter_context(on_one_processor(ASLEEP))
        for _ in range(3):
            stack.enter_context(on_one_processor(BUSY))
        seen = ProcessorWait(pid)
        # It may still be on its way into its sleep.
        wait_until(lambda: seen.share() < 0.1, "it fell asleep", pace=0.3)
        await stays(lambda: seen.share() < 0.1, "it sleeps", 1.0, pace=0.2)


def test_of_a_process_that_is_gone_nothing_is_known():
    with on_one_processor(BUSY) as pid:
        seen = ProcessorWait(pid)
    assert seen.share() == 0.0
