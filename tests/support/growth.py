"""How work grows with its input, measured in processor time of this thread."""

import gc
import signal
import time
from contextlib import contextmanager

FOUR_TIMES = 6.0  # the work on four times the input, at most
CERTAIN = 2 * FOUR_TIMES  # twice as much, twice in a row, is no chance
FLOOR = 0.002  # seconds of processor time; less is noise
_PATIENCE = 10.0  # seconds of processor time for one piece of work; on a slow machine, 3 are taken


class EndlessError(Exception):
    """Work that does not end."""


@contextmanager
def patience(seconds=_PATIENCE):
    """Raise out of work that takes longer; by processor time, so that load does not count."""

    def give_up(*_):
        raise EndlessError

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@contextmanager
def without_collector():
    """Keep the garbage collector out: its work grows with all that the tests before have left.

    Nor is it called beforehand: with a full heap that alone takes longer than what is measured.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def seconds(work, *arguments, tries=1):
    """Processor time of ``work(*arguments)``, the least of some tries."""
    best = float("inf")
    for _ in range(tries):
        with without_collector():
            began = time.thread_time()
            try:
                with patience():
                    work(*arguments)
            except EndlessError:
                return float("inf")
            best = min(best, time.thread_time() - began)
    return best


def growth(work, made, size):
    """How many times the work on ``made(4 * size)`` is that on ``made(size)``; 0 if all is noise.

    A ratio that is too high is measured again, for it may be chance.
    """
    ratio = 0.0
    for tries in (1, 3, 5):
        small, large = made(size), made(4 * size)
        after = seconds(work, large, tries=tries)
        if after < FLOOR:
            return 0.0
        if after == float("inf"):
            return after
        ratio = after / max(seconds(work, small, tries=tries), FLOOR / 4)
        if ratio <= FOUR_TIMES or (tries > 1 and ratio > CERTAIN):
            break
    return ratio
