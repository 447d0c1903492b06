"""The words that all rooms share: documents, pages, chunks, passages, citations."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

DocumentStatus = Literal["uploaded", "processing", "processed", "error", "missing"]
BlockKind = Literal["heading", "paragraph", "list", "table", "form", "picture", "note"]
UNITS = 10_000  # that places in a picture divide its width, and its height, into


class ReadingReport(NamedTuple):
    """What the reader of a document says of its own work.

    ``hidden`` names what is not shown where it was made (sheets, rows, slides), ``removed_lines``
    the headers and footers that were taken out, with their pages.
    """

    pages_read: int = 0
    pages_ocr: int = 0
    pictures_unread: int = 0
    tables: int = 0
    forms: int = 0
    hidden: tuple[str, ...] = ()
    removed_lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def report_of(values: Sequence[Any]) -> ReadingReport:
    """Return the report of which these are the values, as read from JSON.

    Raises:
        TypeError: they are of other kinds.
        ValueError: there are too few.

    """
    counts = [int(value) for value in values[:5]]
    lists = [tuple(map(str, lines)) for lines in values[5:8]]
    read, recognised, unread, tables, forms = counts
    hidden, removed, warnings = lists
    return ReadingReport(read, recognised, unread, tables, forms, hidden, removed, warnings)


@dataclass(frozen=True, slots=True)
class Document:
    """A document as the library keeps it.

    ``owner`` is a person's id, ``collection`` what of theirs it belongs to (a chat; empty for
    their own files); ``page_count`` counts pages or slides and is 1 for a document that has none;
    ``error_*`` hold the catalogued error of a failed one, or of one whose file is ``missing``.
    ``replaces`` are the ids of former versions that go when this one is processed; on the record
    that ends an ingest, of those that have gone.
    """

    id: str
    owner: str
    file_name: str
    media_type: str
    size: int  # bytes
    sha256: str
    created_at: float  # seconds since the epoch, UTC
    status: DocumentStatus = "uploaded"
    page_count: int = 0
    chunk_count: int = 0
    notes: tuple[str, ...] = ()  # what the reader should know, e.g. pages without text
    error_code: str = ""
    error_message: str = ""
    error_hint: str = ""
    replaces: tuple[str, ...] = ()
    collection: str = ""
    report: ReadingReport = field(default_factory=ReadingReport)

    @property
    def is_searchable(self) -> bool:
        """Whether questions can be answered from it: its text outlives its file."""
        return self.status == "processed" or (self.status == "missing" and self.chunk_count > 0)


class PlacedWord(NamedTuple):
    """A word that was recognised in a picture: its span in the page's text, and where it stands.

    The box is in ``UNITS`` of the picture's width and height, from its upper left corner.
    """

    start: int
    end: int
    left: int
    top: int
    right: int
    bottom: int
    confidence: int  # per cent


class Block(NamedTuple):
    """A part of a page: its span in the page's text, and what is known of it.

    ``rows`` are a table's, that with the labels of its columns first, or the labels and values of a
    form; ``box`` is left, top, right and bottom in ``UNITS`` of the page.
    """

    kind: BlockKind
    start: int
    end: int
    rows: tuple[tuple[str, ...], ...] = ()
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The text of one page or slide; ``number`` counts from 1 and is None where there are none.

    ``words`` are those that were recognised in a picture or stand in a form, in the order of the
    text; its first ``native`` characters are those that a PDF has for itself (None: all of them).
    ``section`` is the heading that the page begins under, ``blocks`` what it is made of.
    """

    number: int | None
    text: str
    words: tuple[PlacedWord, ...] = ()
    native: int | None = None
    section: str = ""
    blocks: tuple[Block, ...] = ()


class PageDetails(NamedTuple):
    """What is kept of a page beside its text, see ``Page``; ``blocks`` is None for an old one."""

    native: int | None = None
    words: tuple[PlacedWord, ...] = ()
    section: str = ""
    blocks: tuple[Block, ...] | None = None


@dataclass(frozen=True, slots=True)
class PageText:
    """A page of a document, or a stretch of it that begins at ``start``.

    ``page`` is None where there are none; ``page_count`` counts those of the whole document, and
    is 0 where that is not known.
    """

    document_id: str
    file_name: str
    page_count: int
    page: int | None
    text: str
    start: int = 0
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class PageTexts:
    """The pages in a scope, None if there are too many; ``characters`` counts them all the same."""

    characters: int
    pages: tuple[PageText, ...] | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of a page: ``page_text[start:end] == text``, offsets in code points."""

    page: int | None
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a passage: its span in the passage's text, and how well it matches, 0 to 1."""

    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that was found, with the score it was ranked by (higher is better).

    ``evidence`` is the span of ``text`` that answers the question best, where it was looked for;
    ``ranked`` has the best few such spans with their scores.
    """

    document_id: str
    file_name: str
    page: int | None
    start: int
    end: int
    text: str
    score: float
    chunk_id: int = 0
    evidence: tuple[int, int] | None = None
    ranked: tuple[Sentence, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """What ``[index]`` in an answer refers to; offsets are those of the page's text."""

    index: int
    document_id: str
    file_name: str
    page: int | None
    start: int
    end: int
    quote: str
    score: float


@dataclass(frozen=True, slots=True)
class Scope:
    """For whom documents are searched, and which: single ones, a collection, and libraries.

    ``owner`` is the person's id, ``collection`` one of theirs. If nothing is named, it is all that
    the person has.
    """

    owner: str
    document_ids: tuple[str, ...] | None = None
    collection: str | None = None
    libraries: tuple[str, ...] = ()

    @property
    def has_places(self) -> bool:
        """Whether it holds a collection of the person, or all of them."""
        return self.collection is not None or (self.document_ids is None and not self.libraries)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer; ``reused_tokens`` of the prompt's were in the cache already."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    reused_tokens: int = 0


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token's text, its bytes and its natural log probability, and those of alternatives."""

    token: str
    data: bytes
    logprob: float
    alternatives: tuple["TokenLogprob", ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation in the roles of chat models."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn; the defaults suit grounded answers.

    ``json_schema`` (the text of a JSON Schema) or ``grammar`` (GBNF) bind the answer to a form, at
    most one of them; ``logprobs`` asks for the log probability of each token and of so many
    alternatives (None: for nothing).
    """

    max_tokens: int = 512
    temperature: float = 0.2
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.1
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = field(default=())
    json_schema: str | None = None
    grammar: str | None = None
    logprobs: int | None = None

    @property
    def bound(self) -> bool:
        """Whether the answer has a form that nothing may be put into."""
        return self.json_schema is not None or self.grammar is not None
