"""Whether the engine itself is to blame for a worker that crashes."""

from xnai.llm.engine.launch import Death

MOST = 2


class EarlyCrashes:
    """Counts crashes in a row of workers that had not finished an answer.

    One may be bad luck. ``MOST`` of them are what a build of the engine does that this processor
    cannot run, or that computes wrong addresses.
    """

    def __init__(self) -> None:
        self._count = 0
        self._has_answered = False

    @property
    def suspicious(self) -> bool:
        """Whether the engine is to be tested again."""
        return self._count >= MOST

    @property
    def awaited(self) -> bool:
        """Whether the worker has not finished an answer yet."""
        return not self._has_answered

    def forget(self) -> None:
        """Begin to count anew: the engine was tested, or replaced."""
        self._count = 0

    def started(self) -> None:
        """Note that a worker is ready."""
        self._has_answered = False

    def answered(self) -> None:
        """Note that it has finished an answer."""
        self._has_answered = True
        self._count = 0

    def died(self, death: Death) -> None:
        """Note the end of a worker, also of one that did not become ready."""
        is_early = death.cause == "segfault" and not self._has_answered
        self._count = self._count + 1 if is_early else 0
        self._has_answered = False
