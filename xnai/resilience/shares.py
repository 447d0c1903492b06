"""Who may take how much of what there is a limited amount of.

One rule: nobody takes more than is still free. Who is alone can have half of all, two get a third
each, and however greedy they are, a newcomer finds something. Nothing that was given is taken back.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class NoShareError(Exception):
    """There is nothing left for this holder; the others may still get something."""

    def __init__(self, held: int) -> None:
        self.held = held
        super().__init__(f"{held} are held already")


class Shares:
    """Counts what each holder has.

    Args:
        capacity: how much there is; who is alone may have half of it.

    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.total = 0
        self._held: Counter[str] = Counter()

    def held(self, holder: str) -> int:
        """Return how much a holder has."""
        return self._held[holder]

    def admits(self, *holders: str) -> bool:
        """Tell whether each of the holders, such as a person and an address, may have one more."""
        free = self.capacity - self.total
        return free > 0 and all(self._held[holder] < free for holder in holders)

    def take(self, *holders: str) -> None:
        """Count one more, whether or not it was admitted."""
        self.total += 1
        self._held.update(holders)

    def give_back(self, *holders: str) -> None:
        """Count one less."""
        self.total -= 1
        for holder in holders:
            self._held[holder] -= 1
            if not self._held[holder]:
                del self._held[holder]

    @contextmanager
    def share(self, *holders: str) -> Iterator[None]:
        """Hold one.

        Raises:
            NoShareError: there is none left for one of the holders.

        """
        if not self.admits(*holders):
            raise NoShareError(max((self._held[holder] for holder in holders), default=self.total))
        self.take(*holders)
        try:
            yield
        finally:
            self.give_back(*holders)
