"""What the tools are given: the models are their schemas, and what they are checked by."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from xnai.api.fields import bad_field

_DOCUMENTS_MAX = 1000
_LIBRARIES_MAX = 100
_TEXT_MAX = 10_000  # characters of a query or a question
CLAIM_MAX = 1000  # characters
READ_MAX = 50_000  # characters of one answer
_OFFSET_MAX = 2**31

_Id = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=_TEXT_MAX)]


class ToolArguments(BaseModel):
    """The arguments of a tool; others than these are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Asked(ToolArguments):
    """The documents that a tool looks into."""

    document_ids: Annotated[
        list[_Id],
        Field(
            max_length=_DOCUMENTS_MAX,
            description="Only these documents; by default everything that the caller has.",
        ),
    ] = []
    library_ids: Annotated[
        list[_Id],
        Field(max_length=_LIBRARIES_MAX, description="Only the documents in these libraries."),
    ] = []


class SearchArguments(Asked):
    """Arguments of ``search``."""

    query: Annotated[_Text, Field(description="What to look for, in words or as a question.")]
    limit: Annotated[int, Field(ge=1, le=20, description="How many passages at most.")] = 8


class AskArguments(Asked):
    """Arguments of ``ask``."""

    question: Annotated[_Text, Field(description="The question, in any language.")]
    max_tokens: Annotated[
        int | None, Field(ge=1, le=8192, description="Length of the answer at most, in tokens.")
    ] = None


class VerifyArguments(Asked):
    """Arguments of ``verify``."""

    claim: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=CLAIM_MAX),
        Field(description="One statement, in one sentence."),
    ]


class ReadArguments(ToolArguments):
    """Arguments of ``read``."""

    document_id: Annotated[_Id, Field(description="The document, as search and lists name it.")]
    page: Annotated[
        int | None,
        Field(
            ge=1,
            le=_OFFSET_MAX,
            description="The page, from 1; leave it out for the first, or if there are none.",
        ),
    ] = None
    start: Annotated[
        int, Field(ge=0, le=_OFFSET_MAX, description="The character of the page to begin at.")
    ] = 0
    max_characters: Annotated[
        int, Field(ge=1, le=READ_MAX, description="How much of the text at most.")
    ] = 20_000


class ListArguments(ToolArguments):
    """Arguments of ``list_documents``."""

    library_id: Annotated[_Id | None, Field(description="Only the documents in this library.")] = (
        None
    )
    name_contains: Annotated[
        str | None,
        StringConstraints(max_length=200),
        Field(description="Only documents whose file name has this."),
    ] = None
    after: Annotated[
        _Id | None, Field(description="Go on behind this document, the last of a former list.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=200, description="How many documents at most.")] = 50


Arguments = TypeVar("Arguments", bound=ToolArguments)


def checked(kind: type[Arguments], given: Mapping[str, Any]) -> Arguments:
    """Return the arguments of a call.

    Raises:
        XnaiError: BAD_REQUEST naming the argument and what it may be.

    """
    try:
        return kind.model_validate(given)
    except ValidationError as exc:
        raise bad_field(exc) from None
