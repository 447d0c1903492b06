"""What a model endpoint has shown of itself, and when it is looked at again.

Nobody is refused here because something failed: that is the breaker's to decide, and the breaker's
alone. What the endpoint itself asks for is kept to, which is the time that a 429 names.
"""

import random
import time
from typing import Literal

import structlog

from xnai.errors import REMOTE_BUSY, XnaiError

EndpointState = Literal["unknown", "ready", "busy", "down"]

FRESH_SECONDS = 30.0  # a look says nothing about the time after that
_FIRST_LOOK = 1.0  # seconds to the next look after one that failed, then ever more
_LONGEST_LOOK = 5.0

_log = structlog.get_logger(__name__)


class EndpointReach:
    """Whether one endpoint was reached when it was last looked at.

    ``down`` after a look that failed: a question has it looked at anew, at once. ``busy`` after a
    429, until the time it named. An answer that failed changes neither, but has it looked at soon.
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self.state: EndpointState = "unknown"
        self.since = time.time()
        self.error: XnaiError | None = None
        self.last_error = ""  # code of the latest error, also of one that is over
        self.last_error_at = 0.0
        self._checked = -FRESH_SECONDS  # times of time.monotonic()
        self._look_at = 0.0
        self._failures = 0

    @property
    def retry_in(self) -> float:
        """Seconds until it is looked at or, if it is busy, may be asked again; 0: now."""
        return max(0.0, self._look_at - time.monotonic())

    @property
    def resting(self) -> bool:
        """Whether it has asked to be left alone."""
        return self.state == "busy" and self.retry_in > 0

    @property
    def usable(self) -> bool:
        """Whether a question may be sent there, as far as is known."""
        return self.state == "ready" or (self.state == "busy" and not self.retry_in)

    @property
    def due(self) -> bool:
        """Whether it should be looked at."""
        if self.state in {"down", "busy"}:
            return not self.retry_in
        return time.monotonic() - self._checked >= FRESH_SECONDS

    def probed(self, error: XnaiError | None) -> None:
        """Note what a look has shown."""
        self._checked = time.monotonic()
        if error is None:
            self._failures = 0
            self._become("ready", None)
            return
        self._note(error)
        self._failures += 1
        if error.kind is REMOTE_BUSY:
            self._rest(error)
            return
        longest = min(_FIRST_LOOK * 2 ** min(self._failures - 1, 10), _LONGEST_LOOK)
        spread = longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads attempts, no secret
        self._look_at = time.monotonic() + min(error.retry_after or spread, _LONGEST_LOOK)
        self._become("down", error)

    def answered(self) -> None:
        """Note an answer that began well."""
        self.probed(None)

    def failed(self, error: XnaiError) -> None:
        """Note how an answer failed; most errors of a request say nothing about the endpoint."""
        if not error.kind.counts_as_fault and error.kind is not REMOTE_BUSY:
            return
        self._note(error)
        if error.kind is REMOTE_BUSY:
            self._rest(error)
        else:
            self._checked = -FRESH_SECONDS

    def _rest(self, error: XnaiError) -> None:
        self._look_at = time.monotonic() + (error.retry_after or _FIRST_LOOK)
        self._become("busy", error)

    def _note(self, error: XnaiError) -> None:
        self.last_error, self.last_error_at = error.code, time.time()

    def _become(self, state: EndpointState, error: XnaiError | None) -> None:
        if state != self.state:
            self.since = time.time()
            log = _log.warning if state == "down" else _log.info
            reason = error.message if error else ""
            log("model_endpoint", endpoint=self._endpoint, state=state, reason=reason)
        self.state, self.error = state, error
