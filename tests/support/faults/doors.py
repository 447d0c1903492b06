"""Doors in the borders of the program, through which a test lets a fault in.

``faulty`` makes of a real class one that does the same, except that a call through an open door
raises. Nothing of the program's own logic is replaced.
"""

import errno
import functools
import inspect
from collections import Counter
from contextlib import aclosing

from xnai import errors
from xnai.errors import XnaiError

MARKER = "SECRET-text-of-an-exception"

FAULTS = {
    "runtime": lambda: RuntimeError(MARKER),
    "full": lambda: OSError(errno.ENOSPC, MARKER, f"/{MARKER}"),
    "timeout": lambda: TimeoutError(MARKER),
    "memory": lambda: MemoryError(MARKER),
    "search": lambda: XnaiError(errors.SEARCH_DOWN, reason="a test said so"),
    "model": lambda: XnaiError(errors.MODEL_CRASHED, reason="a test said so"),
    "disk": lambda: XnaiError(errors.DISK_FULL, folder="/data", free="0 MB"),
    "gone": lambda: XnaiError(errors.NOT_FOUND, what="document", name="0"),
    "history": lambda: XnaiError(errors.HISTORY_DOWN, reason="a test said so"),
}


class Doors:
    """Which door is open, and what has passed each of them."""

    def __init__(self):
        self.point = self.fault = ""
        self.later = False
        self.calls = Counter()
        self.hits = 0

    def open(self, point, fault, later=False):
        self.point, self.fault, self.later, self.hits = point, fault, later, 0

    def shut(self):
        self.open("", "")

    def enter(self, point, later=False):
        self.calls[point] += not later
        if point == self.point and later == self.later:
            self.hits += 1
            made = FAULTS[self.fault]
            raise made()


doors = Doors()


def points(cls):
    """The public methods and properties of a class, those of its bases included."""
    return sorted(
        name
        for name in dir(cls)
        if not name.startswith("_")
        and (
            inspect.isfunction(member := inspect.getattr_static(cls, name))
            or isinstance(member, property)
        )
    )


def faulty(part, cls):
    """The class with a door ``part.name`` before each of its methods and properties."""
    body = {
        name: _door(f"{part}.{name}", inspect.getattr_static(cls, name)) for name in points(cls)
    }
    return type(cls.__name__, (cls,), body)


def faulty_function(point, function):
    return _door(point, function)


def _door(point, member):
    if isinstance(member, property):

        def read(self):
            doors.enter(point)
            return member.fget(self)

        return property(read, member.fset)
    if inspect.isasyncgenfunction(member):

        @functools.wraps(member)
        async def events(*args, **values):
            doors.enter(point)
            async with aclosing(member(*args, **values)) as made:
                async for event in made:
                    yield event
                    doors.enter(point, later=True)

        return events
    if inspect.iscoroutinefunction(member):

        @functools.wraps(member)
        async def work(*args, **values):
            doors.enter(point)
            return await member(*args, **values)

        return work

    @functools.wraps(member)
    def call(*args, **values):
        doors.enter(point)
        return member(*args, **values)

    return call
