"""The one for whom something is done."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

Kind = Literal["local", "key", "program"]

# Scopes: what somebody may do with the server, beside their own things.
USE = "use"  # ask, bring documents, look at health and figures
OPERATE = "operate"  # what everybody feels: choose the model, set circuit breakers by hand


@dataclass(frozen=True, slots=True)
class Principal:
    """A person, by an id that says nothing about them.

    ``kind`` is how they came to be known: the one local person, the holder of an API key, or the
    program itself for what nobody asked for. ``scopes`` are what they may do with the server.
    """

    person_id: str
    kind: Kind
    scopes: frozenset[str] = frozenset()


PROGRAM = Principal("server", "program", frozenset({USE, OPERATE}))

# The person for whom a request or an event is served; tasks inherit it.
acting: ContextVar[Principal] = ContextVar("acting", default=PROGRAM)
