"""What may be given to the server to read, and what reading may cost."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import NoDecode

from xnai.settings.words import DAY, place


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
    sync_folders: Annotated[tuple[tuple[Path, str], ...], NoDecode] = Field(
        (),
        description="Folders of the server's machine that libraries are kept in step with, "
        "comma-separated: `/srv/contracts` for a library of the folder's name, "
        "`/srv/contracts=Our contracts` for another. The libraries belong to the holder of the "
        "first key, without keys to the local person.",
    )
    sync_delete: bool = Field(
        default=False,
        description="Whether a document goes from its library when its file goes from a folder of "
        "`XNAI_SYNC_FOLDERS`; otherwise it stays.",
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

    @field_validator("sync_folders", mode="before")
    @classmethod
    def _split_folders(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(_folder(part.strip()) for part in value.split(",") if part.strip())


def _folder(part: str) -> tuple[Path, str]:
    """Return a folder and the name of its library, as the setting has them."""
    folder, _, library = part.partition("=")
    path = place(Path(folder.strip()).expanduser())
    if not path.is_absolute() or not path.name:
        raise ValueError("a folder is given by its whole path, like /srv/contracts")
    return path, library.strip() or path.name
