"""The one check of rights, and the same as a condition in SQL.

A thing belongs to a person, or it is the server. What somebody may not see does not exist: callers
answer as they do for an unknown id. Groups and shared libraries belong here, and nowhere else.
"""

from typing import Final, Literal, Protocol

from xnai.accounts.principal import Principal

Action = Literal["see", "change", "use", "operate"]


class Owned(Protocol):
    """A document, a conversation, an answer: anything that belongs to a person."""

    @property
    def owner(self) -> str:
        """The person's id; empty if nobody's, and then nobody may see it."""
        ...


class Server:
    """What everybody shares: models, breakers, figures."""


SERVER: Final = Server()


def may(principal: Principal, action: Action, thing: Owned | Server) -> bool:
    """Return whether somebody may do something with a thing.

    ``see`` and ``change`` are about a person's things, ``use`` and ``operate`` about the server.
    """
    if principal.kind == "program":
        return True
    if isinstance(thing, Server):
        return action in principal.scopes
    return bool(thing.owner) and thing.owner == principal.person_id


def seen_by(owner_column: str) -> str:
    """Return the SQL condition for rows that ``:person_id`` may see."""
    return f"({owner_column} <> '' AND {owner_column} = :person_id)"
