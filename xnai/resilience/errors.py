"""What a guarded call raises that the dependency has not."""

from xnai.resilience.states import State


class CircuitOpenError(Exception):
    """The call was not made, because the circuit is open.

    ``retry_after`` is the time in seconds to the next attempt, None where nobody knows.
    """

    def __init__(self, name: str, state: State, reason: str, retry_after: float | None) -> None:
        super().__init__(name, state, reason, retry_after)
        self.name = name
        self.state = state
        self.reason = reason
        self.retry_after = retry_after

    def __str__(self) -> str:
        """The words, which are made when somebody reads them: most refusals nobody does."""
        again = "" if self.retry_after is None else f", next attempt in {self.retry_after:.1f} s"
        return f"{self.name} is {self.state.value}{again}: {self.reason}"


class StreamTimeoutError(TimeoutError):
    """A stream did not begin, or did not go on, within its limit."""

    def __init__(self, limit: float, *, first: bool) -> None:
        self.limit = limit
        self.first = first
        what = "did not begin" if first else "fell silent"
        super().__init__(f"the stream {what} within {limit:g} s")
