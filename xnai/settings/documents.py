"""What may be given to the server to read, and what reading may cost."""

from pydantic import BaseModel, Field

from xnai.settings.words import DAY


class DocumentSettings(BaseModel):
    """What may be given to the server to read, and what reading may cost."""

    upload_max_mb: int = Field(
        100, ge=1, le=1_000_000, description="Largest file accepted, in megabytes."
    )
    upload_max_files: int = Field(
        20, ge=1, le=10_000, description="Most files accepted with one message."
    )
    documents_max: int = Field(
        500,
        ge=1,
        le=10_000_000,
        description="Most documents of a chat, and most files that a person brings over the API "
        "beside those that stand in libraries, which have no limit.",
    )
    document_max_characters: int = Field(
        10_000_000,
        ge=1,
        le=10_000_000_000,
        description="Longest text taken from one document, in characters.",
    )
    parse_timeout: float = Field(
        300.0,
        gt=0,
        le=DAY,
        description="Seconds a parser may work on one document; pictures of text take their own.",
    )
    parse_memory_mb: int = Field(
        2048,
        ge=512,
        le=10_000_000,
        description="Memory a parser may use for one document, in megabytes.",
    )
