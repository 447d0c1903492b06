"""Whether an answer that failed is begun again: the one place where that is decided."""

import math
import time

from xnai.errors import XnaiError


class Delivery:
    """What has reached the reader of an answer, and what has failed before it.

    An answer of which text was shown is never begun again, whoever might give it: the reader
    would be told the beginning twice. Each place that knows another way to get the answer (the next
    worker, the next endpoint, the model that stands in, a part asked for again) has one of these
    follow its events, and asks it after an error.

    Args:
        shows: the kind of event that shows text; None where all text is held until it is whole.
        deadline: when the answer is of no use any more, as ``time.monotonic()``.

    """

    def __init__(self, shows: type | None, deadline: float = math.inf) -> None:
        self.shown = False
        self.failures = 0
        self._shows = shows
        self._deadline = deadline

    def see(self, event: object) -> None:
        """Follow an event just before it is passed on."""
        if self._shows is not None and isinstance(event, self._shows):
            self.shown = True

    def failed(self, error: XnaiError, *, curable: bool, attempts: float = math.inf) -> None:
        """Count a failure, after which somebody else is asked at once.

        Args:
            error: what ended the attempt.
            curable: whether another attempt may do better.
            attempts: how many there are in all.

        Raises:
            XnaiError: the error, if the answer is not to be begun again.

        """
        self.failures += 1
        if self.shown or self.failures >= attempts or not curable:
            raise error

    def again_at(
        self, error: XnaiError, *, curable: bool, attempts: float, patience: float
    ) -> float:
        """Count a failure, and say when the same one may be asked again.

        Args:
            error: what ended the attempt; it may say how long there is no use in another.
            curable: whether another attempt may do better.
            attempts: how many there are in all.
            patience: the longest wait before one, in seconds.

        Raises:
            XnaiError: the error, if the answer is not to be begun again in time.

        """
        self.failed(error, curable=curable, attempts=attempts)
        wait = error.retry_after or 0.0
        ready = time.monotonic() + wait
        if wait > patience or ready >= self._deadline:
            raise error
        return ready
