"""How the calls of a breaker ended, since it was made."""


class Counts:
    """Plain integers, so that counting costs next to nothing; read them whenever you like.

    Slow calls are among the succeeded and failed ones.
    """

    __slots__ = ("cancelled", "failed", "ignored", "rejected", "slow", "succeeded")

    def __init__(self) -> None:
        self.succeeded = self.failed = self.ignored = self.cancelled = 0
        self.rejected = self.slow = 0

    def ended(self, *, failed: bool) -> None:
        """Count the end of a call that was judged."""
        self.failed += failed
        self.succeeded += not failed

    def by_outcome(self) -> dict[str, int]:
        """The counts by their names."""
        return {name: getattr(self, name) for name in self.__slots__}
