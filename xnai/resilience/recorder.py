"""How calls end: what counts as a failure, and where it is counted."""

from collections.abc import Callable

from xnai.resilience.config import Config
from xnai.resilience.coordinator import Coordinator
from xnai.resilience.rules import BreakerRules
from xnai.resilience.window import CallCounts, Window


class Recorder:
    """Counts the ends of one breaker's calls, and has them weighed."""

    def __init__(
        self, name: str, config: Config, coordinator: Coordinator, clock: Callable[[], float]
    ) -> None:
        self.counts = CallCounts()
        self.rules = BreakerRules(name, config)
        self._slow = config.slow_call
        self._weigh = coordinator.weigh
        self._clock = clock

    def record_success(self, window: Window, began: float, ended: float) -> None:
        """Count a call that ended well, though it may have been slow."""
        slow = ended - began > self._slow
        self.counts.succeeded += 1
        self.counts.slow += slow
        window.add(ended, slow=slow)
        if window.troubled:
            self._weigh(window, ended, f"it took {ended - began:.1f} s" if slow else "")

    def record_failure(self, window: Window, why: str, began: float) -> None:
        """Count a call that failed."""
        now = self._clock()
        slow = now - began > self._slow
        self.counts.failed += 1
        self.counts.slow += slow
        window.add(now, failed=True, slow=slow)
        self._weigh(window, now, why)

    def record_exception(self, window: Window, exc: BaseException, began: float) -> None:
        """Count a call that raised something, which need not be a failure."""
        if self.is_ignored(exc):
            window.void += 1
        else:
            self.record_failure(window, self.rules.describe(exc), began)

    def is_ignored(self, exc: BaseException) -> bool:
        """Whether an exception is neither failure nor success; counts it, if so."""
        if not isinstance(exc, Exception):  # CancelledError, GeneratorExit, KeyboardInterrupt
            self.counts.cancelled += 1
            return True
        if self.rules.is_ignored(exc):
            self.counts.ignored += 1
            return True
        return False

    def why_failed(self, exc: BaseException | None, began: float, *, bad: bool) -> str:
        """Why a probe has failed; "" if it has not."""
        if exc is not None:
            return self.rules.describe(exc)
        if bad:
            return "bad result"
        seconds = self._clock() - began
        if seconds <= self._slow:
            return ""
        self.counts.slow += 1
        return f"it took {seconds:.1f} s"
