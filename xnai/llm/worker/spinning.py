"""How long the threads of a step wait awake for each other, as the clock says is best.

A step of the model has hundreds of barriers. At each, the threads that come first spin for a while
and sleep then. On a machine of one's own it pays to spin until the last one is there. Beside a busy
neighbour it does not: the last one is not running, and who spins for it takes the very core that it
waits for. Which of the two a machine is changes while the worker runs, so both are timed as the
steps come:

    settled ──every so often, or when steps change so that it may pay──► trying the other way
       ▲                                                                        │
       └──── take what was faster; where that is the old one, wait longer ──────┘

GNU's OpenMP has two counts, the one that ``GOMP_SPINCOUNT`` names and 100 for when it has more
threads than there are cores (libgomp's manual, GOMP_SPINCOUNT). The second is switched to by
keeping a few threads that do nothing. Another OpenMP, or none, is left as it is.
"""

import ctypes
import os
import threading

from xnai.llm.averages import moving_average

LIBRARY = "libgomp.so.1"
TRIAL_STEPS = 8  # of the other way, before the two are compared
FIRST_PAUSE = 64  # steps from one trial to the next; doubled each time that the other way is slower
LONGEST_PAUSE = 2048
GAIN = 0.97  # the other way has to take no more than this part of the time
HOPELESS = 2.0  # a trial whose first steps take so many times as long ends at once
HOPELESS_STEPS = 2
START_SECONDS = 1.0  # that a step waits for the threads at most
SHIFT = 1.3  # steps that become so much slower or faster are a reason to try again

Kind = tuple[int, int]  # of steps that can be compared: how many answers, how many guesses


class Crowd:
    """Threads of OpenMP that do nothing, because of which the others spin for a moment only.

    Args:
        threads: how many threads a step has.

    """

    def __init__(self, threads: int) -> None:
        self._leave: threading.Event | None = None
        self._library = _loaded()
        if self._library is not None:
            # Each pool counts its threads but for the first; one more than there are cores will do.
            self._size = max(2, int(self._library.omp_get_num_procs()) - threads + 2)
            nothing = ctypes.CDLL(None).free  # of a null pointer
            self._nothing = ctypes.cast(nothing, ctypes.c_void_p)

    @property
    def available(self) -> bool:
        """Whether there is anything to switch."""
        return self._library is not None

    def gather(self) -> None:
        """Have threads spin for a moment only; returns when it is so."""
        if self._library is None or self._leave is not None:
            return
        self._leave, there = threading.Event(), threading.Event()
        arguments = (self._leave, there)
        threading.Thread(target=self._stand, args=arguments, daemon=True).start()
        there.wait(START_SECONDS)

    def disperse(self) -> None:
        """Have threads spin as long as the environment says; so it is a moment later."""
        if self._library is not None and self._leave is not None:
            self._leave.set()
            self._leave = None

    def _stand(self, leave: threading.Event, there: threading.Event) -> None:
        assert self._library is not None
        # Its pool is counted for as long as the thread lives that it belongs to.
        self._library.GOMP_parallel(self._nothing, None, self._size, 0)
        there.set()
        leave.wait()


def _loaded() -> ctypes.CDLL | None:
    """The OpenMP that the engine has loaded; without it there is nothing to switch."""
    if not hasattr(os, "RTLD_NOLOAD"):
        return None
    try:
        return ctypes.CDLL(LIBRARY, mode=os.RTLD_NOW | os.RTLD_NOLOAD)
    except OSError:
        return None


class Spinning:
    """Chooses, by the times of steps, between spinning long and spinning for a moment.

    Args:
        crowd: what switches.

    """

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self.brief = False  # whether threads spin for a moment only
        self._usual: dict[Kind, float] = {}  # seconds of a step the way that was settled for
        self._settled_at: dict[Kind, float] = {}  # the same at the end of the last trial
        self._pause = FIRST_PAUSE
        self._steps = 0  # since the last trial
        self._trial: list[float] | None = None  # how each step compares with the usual

    def measured(self, kind: Kind, seconds: float) -> None:
        """Take in the time of a step that only wrote; the next may be made the other way."""
        if not self._crowd.available:
            return
        if self._trial is not None:
            self._try(kind, seconds)
            return
        usual = moving_average(self._usual.get(kind), seconds, 0.1)
        self._usual[kind] = usual
        self._steps += 1
        has_shifted = self._has_shifted(self._settled_at.setdefault(kind, usual), usual)
        if has_shifted:
            self._pause = FIRST_PAUSE
        if self._steps >= self._pause or has_shifted:
            self._switch()
            self._trial = []

    def _has_shifted(self, before: float, usual: float) -> bool:
        """Whether steps have changed in the way that speaks for the other one.

        Who spins long and becomes slower may have got a neighbour, which costs much at once. Who
        spins for a moment and becomes faster may have lost one; beside several, steps vary all the
        time, and each try costs several times what a step does.
        """
        if self.brief:
            return self._steps >= FIRST_PAUSE and usual < before / SHIFT
        return self._steps > TRIAL_STEPS and usual > before * SHIFT

    def _try(self, kind: Kind, seconds: float) -> None:
        assert self._trial is not None
        if kind not in self._usual:
            return  # nothing to compare with
        self._trial.append(seconds / self._usual[kind])
        done = len(self._trial)
        ratio = sum(self._trial) / done
        if done < TRIAL_STEPS and not (done >= HOPELESS_STEPS and ratio > HOPELESS):
            return
        is_better = ratio < GAIN
        if is_better:
            self._pause = FIRST_PAUSE
            self._usual = {known: usual * ratio for known, usual in self._usual.items()}
        else:
            self._switch()
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self._trial, self._steps = None, 0
        self._settled_at = dict(self._usual)

    def _switch(self) -> None:
        self.brief = not self.brief
        if self.brief:
            self._crowd.gather()
        else:
            self._crowd.disperse()
