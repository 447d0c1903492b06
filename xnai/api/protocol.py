"""The parts of the running program that the HTTP interface needs."""

from collections.abc import AsyncGenerator
from typing import Protocol

from xnai.accounts import People
from xnai.accounts.attempts import Attempts
from xnai.answering.events import Event, Question
from xnai.answering.streams import Streams
from xnai.answering.verification.verdict import Verdict
from xnai.documents.folders.keeping import SyncedLibraries
from xnai.documents.folders.mirror import FolderMirror
from xnai.documents.libraries import Libraries
from xnai.documents.protocol import DocumentLibrary
from xnai.documents.shelving import Shelving
from xnai.llm.protocol import LanguageModel
from xnai.observability.audit import AuditLog
from xnai.observability.health import Health
from xnai.resilience.registry import Breakers
from xnai.retrieval.protocol import TextEmbedder
from xnai.settings import Settings


class Answers(Protocol):
    """Answers questions; ``xnai.answering.pipeline.Pipeline`` does."""

    def answer(self, question: Question) -> AsyncGenerator[Event, None]:
        """Stream one answer; closing the generator cancels it."""
        ...

    async def verify(self, question: Question) -> Verdict:
        """Check the statement that is the text of a question."""
        ...


class SearchStatus(Protocol):
    """The state of searching in documents."""

    @property
    def state(self) -> str:
        """``starting``, ``ready`` or ``down``."""
        ...

    @property
    def since(self) -> float:
        """The time at which the state began, in seconds since the epoch."""
        ...

    @property
    def detail(self) -> str:
        """A sentence for people; may be empty."""
        ...

    @property
    def error_code(self) -> str:
        """The catalogued error behind ``down``; empty otherwise."""
        ...


class ModelReports(Protocol):
    """What fetches models, and tells how far it is; ``xnai.models.setup.ModelSetup`` does."""

    def report(self) -> dict[str, object]:
        """The state, from memory alone."""
        ...

    def begin(self, name: str) -> None:
        """Fetch a model of the catalogue because a person asks.

        Raises:
            XnaiError: MODEL_UNKNOWN.

        """
        ...

    async def stop(self) -> None:
        """Stop the download; what has arrived is kept."""
        ...


class ApiRuntime(Protocol):
    """The parts of ``xnai.runtime.Runtime`` that are reached over HTTP."""

    @property
    def settings(self) -> Settings:
        """The settings."""
        ...

    @property
    def people(self) -> People:
        """The people who may come in."""
        ...

    @property
    def attempts(self) -> Attempts:
        """Wrong keys that were given."""
        ...

    @property
    def library(self) -> DocumentLibrary:
        """The documents."""
        ...

    @property
    def libraries(self) -> Libraries:
        """The libraries in which documents stand."""
        ...

    @property
    def shelving(self) -> Shelving:
        """Many documents at once."""
        ...

    @property
    def mirror(self) -> FolderMirror:
        """The folders of this machine that libraries are kept in step with."""
        ...

    @property
    def synced(self) -> SyncedLibraries:
        """The folders that libraries are in step with."""
        ...

    @property
    def embedder(self) -> TextEmbedder:
        """The model that embeds texts for the search."""
        ...

    @property
    def model(self) -> LanguageModel:
        """The language model."""
        ...

    @property
    def models(self) -> ModelReports:
        """The models that can be fetched."""
        ...

    @property
    def pipeline(self) -> Answers:
        """The pipeline that answers questions."""
        ...

    @property
    def breakers(self) -> Breakers:
        """The circuit breakers."""
        ...

    @property
    def health(self) -> Health:
        """The state of the parts."""
        ...

    @property
    def streams(self) -> Streams:
        """The answers that are being produced."""
        ...

    @property
    def audit(self) -> AuditLog:
        """The log of who asked and what was changed."""
        ...

    @property
    def started_at(self) -> float:
        """The time at which the server was started, in seconds since the epoch."""
        ...

    @property
    def accepting(self) -> bool:
        """False once the server is stopping."""
        ...

    @property
    def search_state(self) -> SearchStatus:
        """The state of searching in documents."""
        ...
