"""What accounts need of the stores, whatever these are."""

from collections.abc import Mapping
from typing import Protocol


class SessionStore(Protocol):
    """Who is signed in to the page."""

    def create(self, person_id: str, seconds: float) -> str:
        """Open a session for so long and return its id; blocks."""
        ...

    def is_open(self, session_id: str, person_id: str) -> bool:
        """Tell whether a session of a person is open."""
        ...

    def revoke(self, session_id: str) -> None:
        """Close a session; blocks."""
        ...

    def close(self) -> None:
        """Close the store."""
        ...


class Conversations(Protocol):
    """What conversations tell of people and documents; every method blocks."""

    def authors(self) -> Mapping[str, str]:
        """Return whose each conversation is, by the names of now or of before."""
        ...

    def showing(self, document_id: str) -> tuple[str, str]:
        """Return a conversation that shows a document and its name there, both empty if none."""
        ...


class NoConversations:
    """The ``Conversations`` of a program without a page."""

    def authors(self) -> Mapping[str, str]:
        """Return none."""
        return {}

    def showing(self, document_id: str) -> tuple[str, str]:
        """Return none."""
        del document_id
        return "", ""
