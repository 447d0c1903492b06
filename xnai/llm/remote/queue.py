"""A line in front of an endpoint that answers one request at a time."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class WaitingLine:
    """First come, first served; a place is held by being in the line."""

    def __init__(self) -> None:
        self._places: list[object] = []
        self._moved = asyncio.Event()

    @contextmanager
    def join(self) -> Iterator["Reservation"]:
        """Stand at the end; leaving moves up those behind."""
        place = Reservation(self)
        self._places.append(place)
        try:
            yield place
        finally:
            self._places.remove(place)
            self._moved.set()
            self._moved = asyncio.Event()

    def position(self, place: object) -> int:
        """How many come before it."""
        return self._places.index(place)

    async def move(self) -> None:
        """Wait until somebody leaves."""
        await self._moved.wait()


class Reservation:
    """One's place in a line."""

    def __init__(self, line: WaitingLine) -> None:
        self._line = line

    @property
    def position(self) -> int:
        """How many come first; 0: it is one's turn."""
        return self._line.position(self)

    async def move(self) -> None:
        """Wait until somebody leaves the line."""
        await self._line.move()
