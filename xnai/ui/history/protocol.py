"""What the page's data layer needs of a history, whatever holds it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from xnai.accounts.principal import Principal
from xnai.accounts.rights import Action
from xnai.ui.history.rows import Row


@dataclass(frozen=True, slots=True)
class ThreadQuery:
    """A page of a user's threads.

    ``after`` is (time, id) of the last thread that is known already; ``words`` are looked for as
    they are in names and messages (letters in any case); ``feedback`` (0 or 1) asks for
    threads that have such a feedback, ``pinned`` for those that are pinned.
    """

    user_id: str
    limit: int
    after: tuple[str, str] | None = None
    words: str | None = None
    feedback: int | None = None
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Conversation:
    """A thread as ``accounts.may`` knows it."""

    owner: str


class ThreadStore(Protocol):
    """Users and their threads; nobody gets at somebody else's."""

    def user(self, identifier: str) -> Row | None:
        """A user as {id, identifier, createdAt, metadata}."""
        ...

    def put_user(self, identifier: str, metadata: Mapping[str, Any]) -> Row:
        """Insert a user, or renew the metadata of a known one."""
        ...

    def author(self, thread_id: str) -> str:
        """The name of a thread's user; empty if there is no such thread."""
        ...

    def allows(self, actor: Principal, action: Action, thread_id: str) -> bool:
        """Whether the thread is there, and the actor's to see or to change."""
        ...

    def owned(self, actor: Principal, thread_id: str, action: Action = "change") -> bool:
        """Whether the thread is there."""
        ...

    def put(
        self,
        actor: Principal,
        thread_id: str,
        name: str | None,
        metadata: Mapping[str, Any] | None,
        tags: list[str] | None,
    ) -> None:
        """Change a thread; one with a name and a user is made if it is not there."""
        ...

    def make(self, actor: Principal, thread_id: str) -> None:
        """Insert a thread of a known user, unless it is there."""
        ...

    def touch(self, thread_id: str) -> None:
        """Note down that something was said in a thread."""
        ...

    def names(self, actor: Principal) -> dict[str, str]:
        """The names of somebody's threads by their ids."""
        ...

    def page(self, actor: Principal, query: ThreadQuery) -> list[Row]:
        """A user's threads without their steps, the one spoken in last first."""
        ...

    def get(self, actor: Principal, thread_id: str) -> Row | None:
        """A thread without its steps and elements."""
        ...


class StepStore(Protocol):
    """What threads are made of; nobody gets at what is in somebody else's."""

    def create(self, actor: Principal, step: Mapping[str, Any]) -> None:
        """Keep a new step."""
        ...

    def update(self, actor: Principal, step: Mapping[str, Any]) -> None:
        """Change a step that is there; a late update never brings a deleted one back."""
        ...

    def delete(self, actor: Principal, step_id: str) -> None:
        """Delete a step with the steps below it and the elements of them all."""
        ...

    def close_open(self, moment: str) -> int:
        """End, in words, what a server that was killed left open; returns how many steps."""
        ...

    def favorites(self, actor: Principal) -> list[Row]:
        """Messages that somebody marked, newest first."""
        ...

    def put_element(self, actor: Principal, element: Mapping[str, Any]) -> None:
        """Keep an element; its thread must be there."""
        ...

    def element(self, actor: Principal, thread_id: str, element_id: str) -> Row | None:
        """One element of a thread."""
        ...

    def delete_element(self, actor: Principal, element_id: str) -> None:
        """Delete an element."""
        ...

    def put_feedback(self, actor: Principal, step_id: str, value: int, comment: str | None) -> str:
        """Keep what a person thinks of a step (0 or 1), one opinion a step; returns its id."""
        ...

    def delete_feedback(self, actor: Principal, feedback_id: str) -> bool:
        """Delete a feedback; False if there is none, or it is somebody else's."""
        ...

    def steps(self, thread_id: str) -> list[Row]:
        """A thread's newest steps with their feedback, oldest first."""
        ...

    def count(self, thread_id: str) -> int:
        """How many steps a thread has."""
        ...

    def elements(self, thread_id: str, element_id: str | None = None) -> list[Row]:
        """A thread's newest elements, or the one with the given id."""
        ...


class ChoiceStore(Protocol):
    """What persons have chosen in the settings panel; everybody has their own."""

    def of(self, actor: Principal) -> Row:
        """What the actor has chosen; nothing if nothing was."""
        ...

    def put(self, actor: Principal, chosen: Mapping[str, Any]) -> None:
        """Keep what the actor, a known user, has chosen, in the place of what was."""
        ...


class PersonalChoices(Protocol):
    """The choices of whoever acts, for the page."""

    async def choices(self) -> Row:
        """Return what the person has chosen in the settings panel."""
        ...

    async def keep_choices(self, chosen: Mapping[str, Any]) -> None:
        """Keep it for the chats to come."""
        ...


class History(Protocol):
    """Users, threads, and what these are made of; to be used from one thread only."""

    @property
    def threads(self) -> ThreadStore:
        """Users and their threads."""
        ...

    @property
    def steps(self) -> StepStore:
        """What threads are made of."""
        ...

    @property
    def choices(self) -> ChoiceStore:
        """What persons have chosen in the settings panel."""
        ...

    def whole_thread(self, actor: Principal, thread_id: str) -> Row | None:
        """A thread with its newest steps and elements, and whether it is ``shortened``."""
        ...

    def remove_thread(self, actor: Principal, thread_id: str) -> None:
        """Delete a thread with all it has, also on a full disk."""
        ...

    def check(self) -> str:
        """Have the turn to write, and write nothing; returns what was noted at the start."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...
