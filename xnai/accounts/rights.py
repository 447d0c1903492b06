"""The one check of rights, and the same as a condition in SQL.

A thing belongs to a person, or it is the server; a library may have members beside its owner. What
somebody may not see does not exist: callers answer as they do for an unknown id. Groups belong
here, and nowhere else.
"""

from collections.abc import Mapping
from typing import Final, Literal, Protocol

from xnai.accounts.principal import Principal

Action = Literal["see", "add", "change", "use", "operate"]
# What a member of a library may do with it, by the word that is kept for them.
GRANTED: Final[Mapping[str, frozenset[Action]]] = {
    "read": frozenset({"see"}),
    "add": frozenset({"see", "add"}),
    "manage": frozenset({"see", "add", "change"}),
}


class Owned(Protocol):
    """A document, a conversation, an answer: anything that belongs to a person."""

    @property
    def owner(self) -> str:
        """The person's id; empty if nobody's, and then nobody may see it."""
        ...


class SharedThing(Owned, Protocol):
    """A library: others than its owner may be members."""

    @property
    def members(self) -> Mapping[str, str]:
        """What each member may do, a word of ``GRANTED`` by the person's id."""
        ...


class Server:
    """What everybody shares: models, breakers, figures."""


SERVER: Final = Server()


def may(principal: Principal, action: Action, thing: Owned | SharedThing | Server) -> bool:
    """Return whether somebody may do something with a thing.

    ``see``, ``add`` and ``change`` are about persons' things, ``use`` and ``operate`` about the
    server.
    """
    if principal.kind == "program":
        return True
    if isinstance(thing, Server):
        return action in principal.scopes
    if not thing.owner:
        return False
    if thing.owner == principal.person_id:
        return True
    members: Mapping[str, str] = getattr(thing, "members", {})
    return action in GRANTED.get(members.get(principal.person_id, ""), frozenset())


def seen_by(owner_column: str) -> str:
    """Return the SQL condition for rows that ``:person_id`` may see."""
    return f"({owner_column} <> '' AND {owner_column} = :person_id)"
