"""How many cores embedding may use, and how it gives way to others."""

import os
import sys
import threading

_BULK_NICENESS = 10


def usable_cores() -> int:
    """CPU cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def yield_to_others() -> None:
    """Give way to the page, to questions and to the model; for threads that work on documents."""
    # On Linux niceness belongs to a thread; elsewhere it would slow the whole process.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _BULK_NICENESS)
