"""Whether a model endpoint can be asked: what its probes and its answers have shown."""

import random
import time
from typing import Literal

import structlog

from xnai.errors import (
    ANSWER_TIMEOUT,
    BAD_REQUEST,
    QUESTION_TOO_LONG,
    REMOTE_BUSY,
    REMOTE_MODEL_UNKNOWN,
    REMOTE_REFUSED,
    SHUTTING_DOWN,
    XnaiError,
)

EndpointState = Literal["unknown", "ready", "busy", "down"]

FRESH_SECONDS = 30.0  # a probe says nothing about the time after that
_BACKOFF_FIRST = 1.0  # seconds
_BACKOFF_LONGEST = 30.0
_UNAVAILABLE = 503
_SHUNNED_SECONDS = 20.0  # an endpoint that failed is the last choice for so long
# These say nothing about the endpoint's health.
_NO_FAULT = {
    ANSWER_TIMEOUT,
    BAD_REQUEST,
    QUESTION_TOO_LONG,
    REMOTE_MODEL_UNKNOWN,
    REMOTE_REFUSED,
    SHUTTING_DOWN,
}

_log = structlog.get_logger(__name__)


class EndpointHealth:
    """The state of one endpoint.

    A failed probe or connection means ``down`` until the next attempt, each time later; a 429
    means ``busy`` until the time it named. An answer that failed calls for a new probe and makes
    the endpoint the last choice for a while. This is where a circuit breaker takes over.
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self.state: EndpointState = "unknown"
        self.since = time.time()
        self.error: XnaiError | None = None
        self.last_error = ""  # code of the latest error, also of one that is over
        self.last_error_at = 0.0
        self._checked = -FRESH_SECONDS  # times of time.monotonic()
        self._retry_at = 0.0
        self._failed_at = -_SHUNNED_SECONDS
        self._failures = 0

    @property
    def retry_in(self) -> float:
        """Seconds until it may be asked again; 0: now."""
        return max(0.0, self._retry_at - time.monotonic())

    @property
    def usable(self) -> bool:
        """Whether a question may be sent there."""
        return self.state == "ready" or (self.state == "busy" and not self.retry_in)

    @property
    def due(self) -> bool:
        """Whether it should be probed."""
        if self.state in {"down", "busy"}:
            return not self.retry_in
        return time.monotonic() - self._checked >= FRESH_SECONDS

    @property
    def shunned(self) -> bool:
        """Whether an answer failed there a moment ago."""
        return time.monotonic() - self._failed_at < _SHUNNED_SECONDS

    def probed(self, error: XnaiError | None) -> None:
        """Note the result of a probe."""
        self._checked = time.monotonic()
        if error is None:
            self._failures = 0
            self._become("ready", None)
        else:
            self._refused(error)

    def answered(self) -> None:
        """Note an answer that began well."""
        self._checked = time.monotonic()
        self._failed_at = -_SHUNNED_SECONDS
        self._failures = 0
        self._become("ready", None)

    def failed(self, error: XnaiError) -> None:
        """Note how an answer failed."""
        if error.kind in _NO_FAULT:
            return
        self._note(error)
        if error.kind is not REMOTE_BUSY:
            self._failed_at = time.monotonic()
        if error.kind is REMOTE_BUSY or error.kind.status == _UNAVAILABLE:
            self._refused(error)
        else:
            self._checked = -FRESH_SECONDS

    def _note(self, error: XnaiError) -> None:
        self.last_error, self.last_error_at = error.code, time.time()

    def _refused(self, error: XnaiError) -> None:
        self._note(error)
        self._failures += 1
        wait = error.retry_after
        if wait is None:
            longest = min(_BACKOFF_FIRST * 2 ** (self._failures - 1), _BACKOFF_LONGEST)
            wait = longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads attempts, no secret
        self._retry_at = time.monotonic() + wait
        self._become("busy" if error.kind is REMOTE_BUSY else "down", error)

    def _become(self, state: EndpointState, error: XnaiError | None) -> None:
        if state != self.state:
            self.since = time.time()
            log = _log.warning if state == "down" else _log.info
            reason = error.message if error else ""
            log("model_endpoint", endpoint=self._endpoint, state=state, reason=reason)
        self.state, self.error = state, error
