"""Keeps what is said to the service from its children.

Who ends a service may tell each of its processes: systemd does, and a machine that is shut down.
When children end is the server's to say, which lets answers and readings come to a good end.
"""

import asyncio
import signal
from typing import TypeVar

_TO_THE_SERVICE = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})

T = TypeVar("T")


def deaf(protocol: T, loop: asyncio.AbstractEventLoop) -> T:
    """Block these signals in the process that is started in this very step of the loop.

    A process has the signals blocked that the thread has which starts it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _TO_THE_SERVICE)
    loop.call_soon(signal.pthread_sigmask, signal.SIG_UNBLOCK, _TO_THE_SERVICE - before)
    return protocol
