"""What the HTTP interface needs of the running program."""

from collections.abc import AsyncGenerator
from typing import Protocol

from xnai.audit import AuditLog
from xnai.documents.protocol import DocumentLibrary
from xnai.events import Event, Question
from xnai.health import Health
from xnai.llm.protocol import LanguageModel
from xnai.resilience.registry import Breakers
from xnai.settings import Settings
from xnai.streams import Streams


class Answers(Protocol):
    """Answers questions; ``xnai.pipeline.Pipeline`` does."""

    def answer(self, question: Question) -> AsyncGenerator[Event, None]:
        """Stream one answer; closing the generator cancels it."""
        ...


class SearchStatus(Protocol):
    """Whether documents can be searched."""

    @property
    def state(self) -> str:
        """``starting``, ``ready`` or ``down``."""
        ...

    @property
    def since(self) -> float:
        """When the state began, in seconds since the epoch."""
        ...

    @property
    def detail(self) -> str:
        """A sentence for people; may be empty."""
        ...

    @property
    def error_code(self) -> str:
        """The catalogued error behind ``down``; empty otherwise."""
        ...


class ApiRuntime(Protocol):
    """The parts of ``xnai.runtime.Runtime`` that are reached over HTTP."""

    @property
    def settings(self) -> Settings:
        """The settings."""
        ...

    @property
    def library(self) -> DocumentLibrary:
        """The documents."""
        ...

    @property
    def model(self) -> LanguageModel:
        """The language model."""
        ...

    @property
    def pipeline(self) -> Answers:
        """What answers questions."""
        ...

    @property
    def breakers(self) -> Breakers:
        """The circuit breakers."""
        ...

    @property
    def health(self) -> Health:
        """How the parts are doing."""
        ...

    @property
    def streams(self) -> Streams:
        """The answers that are being produced."""
        ...

    @property
    def audit(self) -> AuditLog:
        """Where it is noted who asked and what was changed."""
        ...

    @property
    def started_at(self) -> float:
        """When the server was started, in seconds since the epoch."""
        ...

    @property
    def accepting(self) -> bool:
        """False once the server is stopping."""
        ...

    @property
    def search_state(self) -> SearchStatus:
        """Whether documents can be searched."""
        ...
