"""One call that was let through to find out whether the dependency is well again."""

import asyncio


class Probe:
    """A ticket, and who holds it: ``shared`` tickets are leased from the store.

    ``begun``: its stream has shown something. ``settled``: its result was told or is void.
    """

    __slots__ = ("begun", "epoch", "holding", "settled", "shared", "ticket")

    def __init__(self, ticket: str, epoch: int, *, shared: bool) -> None:
        self.ticket = ticket
        self.epoch = epoch
        self.shared = shared
        self.begun = False
        self.settled = False
        self.holding: asyncio.Task[None] | None = None

    def settle(self) -> bool:
        """Claim the right to tell its result; False if that was done."""
        if self.settled:
            return False
        self.settled = True
        if self.holding is not None and self.holding is not asyncio.current_task():
            self.holding.cancel()
        return True
