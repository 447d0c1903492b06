"""What an error of the catalogue is, and how it is raised."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

__all__ = ["Category", "ErrorKind", "Instead", "XnaiError"]

_STOPS = re.compile(r"(?<!\.)\.\.(?!\S)")


class Category(StrEnum):
    """What has to change before the same request can succeed."""

    REQUEST = "request"  # what was asked
    ACCESS = "access"  # who asked, and from where
    OVERLOAD = "overload"  # nothing: there was no room or no time
    DOCUMENT = "document"  # the file
    SEARCH = "search"  # embedding model and index
    STORAGE = "storage"  # the disk, or what lies on it
    MODEL = "model"  # the local model
    ENDPOINT = "endpoint"  # a server of XNAI_LLM_URL
    SETTING = "setting"  # how the server is set up
    COMMAND = "command"  # how a command was used
    INTERNAL = "internal"  # XNAi itself


class Instead(StrEnum):
    """What a person who asked is shown instead of the answer that an error has prevented."""

    PASSAGES = "passages"  # what was found, without a word of the model
    NO_DOCUMENTS = "no_documents"  # an answer for which no document was searched


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One row of the catalogue: the words of an error, and what follows from it.

    ``message`` (what is wrong) and ``hint`` (what to do) are format strings; ``seen`` says who
    meets it and when; ``retryable``: the same request may succeed later. ``status`` is that of
    HTTP, also where the error is met elsewhere.

    ``counts_as_fault``: the breaker of the part that raised it counts it as a failure.
    ``heals_soon``: the same call, made again at once, may do better. ``retry_elsewhere``: another
    model may answer, at another endpoint or on this machine. ``other_source``: what was to be
    fetched may come from another source. ``degrade_to``: what is shown where nothing else can
    answer.
    """

    code: str
    category: Category
    status: int
    message: str
    hint: str
    seen: str
    retryable: bool = False
    counts_as_fault: bool = False
    heals_soon: bool = False
    retry_elsewhere: bool = False
    other_source: bool = False
    degrade_to: Instead | None = None


def _told(template: str, values: Mapping[str, object]) -> str:
    """Fill words in; a reason that is a sentence itself brings no second full stop."""
    return _STOPS.sub(".", template.format_map(values))


class XnaiError(Exception):
    """An error with a stable code and words a user can act on.

    Args:
        kind: the row of the catalogue.
        retry_after: seconds after which another try makes sense, if known.
        **values: what the message and the hint name; never the text of a foreign exception.

    """

    def __init__(
        self, kind: ErrorKind, *, retry_after: float | None = None, **values: object
    ) -> None:
        self.kind = kind
        self.retry_after = retry_after
        self.values: Mapping[str, object] = values
        self.message = _told(kind.message, values)
        self.hint = _told(kind.hint, values)
        self.time = datetime.now(UTC)
        super().__init__(f"{self.message} {self.hint}".strip())

    def in_words_of(self, translation: Callable[[str], str]) -> tuple[str, str]:
        """Return message and hint as they are in a translation of their templates."""
        message, hint = map(translation, (self.kind.message, self.kind.hint))
        return _told(message, self.values), _told(hint, self.values)

    @property
    def code(self) -> str:
        """The stable code of the error."""
        return self.kind.code

    @property
    def timestamp(self) -> str:
        """When it was raised, in UTC (RFC 3339, milliseconds)."""
        return self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    @property
    def causes(self) -> tuple[str, ...]:
        """Codes of the errors that led to this one, the nearest first; of others nothing is told.

        An error that was raised again with more words counts once.
        """
        codes: list[str] = []
        seen: set[int] = set()
        cause, last = self.__cause__, self.code
        while cause is not None and id(cause) not in seen:
            seen.add(id(cause))
            if isinstance(cause, XnaiError) and cause.code != last:
                last = cause.code
                codes.append(last)
            cause = cause.__cause__
        return tuple(codes)
