"""What is said of the library that is open on the page of documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from xnai.accounts import Principal, may
from xnai.api.protocol import ApiRuntime
from xnai.documents.folders.mirror import FolderState
from xnai.locale import Texts
from xnai.retrieval.libraries import NamedLibrary
from xnai.ui.library_choice import library_name
from xnai.ui.pages.list_query import ListQuery

SHOWN = 200  # folders, and tags


@dataclass(frozen=True, slots=True)
class ShelfLink:
    """A folder or a tag: its name, the list of what is in it, and how many that are."""

    name: str
    address: str
    count: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class MirrorWords:
    """How it stands with a folder of the server that the library is in step with."""

    words: str
    is_wrong: bool


@dataclass(frozen=True, slots=True)
class OpenLibrary:
    """A library as its page shows it."""

    name: str
    going: str
    folders: tuple[ShelfLink, ...]
    tags: tuple[ShelfLink, ...]
    members: str


def shelf_links(
    counts: Mapping[str, int], wanted: ListQuery, kind: Literal["folder", "tag"]
) -> tuple[ShelfLink, ...]:
    """Return the folders or tags of a library as links; the open one leads back to all."""
    now = wanted.folder if kind == "folder" else wanted.tag
    return tuple(
        ShelfLink(name, wanted.address(**{kind: "" if name == now else name}), count, name == now)
        for name, count in list(counts.items())[:SHOWN]
    )


def members_words(person: Principal, library: NamedLibrary, texts: Texts) -> str:
    """Say who else sees a library."""
    others = len(set(library.members) - {person.person_id})
    if not others:
        return texts.say("Only you see this library.")
    return texts.say_number(
        "You and {number} other person see this library.",
        "You and {number} other people see this library.",
        others,
    )


def mirror_words(state: FolderState, texts: Texts) -> MirrorWords:
    """Say how it stands with a folder of the server."""
    if state.error is not None:
        words = " ".join(state.error.in_words_of(texts.translation)).strip()
        return MirrorWords(words, is_wrong=True)
    told = texts.say("Kept in step with the folder {folder}.", folder=str(state.folder))
    summary = state.summary
    missed = len(summary.left_out) + len(summary.refused) if summary else 0
    if not missed:
        return MirrorWords(told, is_wrong=False)
    left_out = texts.say_number(
        "{number} file of it could not be taken.",
        "{number} files of it could not be taken.",
        missed,
    )
    return MirrorWords(f"{told} {left_out}", is_wrong=True)


async def going_words(
    runtime: ApiRuntime, person: Principal, library: NamedLibrary, texts: Texts
) -> str:
    """Say what the deletion of a library takes along; empty if the person may not delete it."""
    if library.is_own or not may(person, "change", library):
        return ""
    goes, stays = await runtime.libraries.going(person, library.id)
    asked = texts.say("Delete the library {library}?", library=library_name(library, texts))
    parts = [asked]
    if goes:
        parts.append(
            texts.say_number(
                "{number} document that is nowhere else is deleted with it.",
                "{number} documents that are nowhere else are deleted with it.",
                len(goes),
            )
        )
    if stays:
        parts.append(
            texts.say_number(
                "{number} document stays where else it is.",
                "{number} documents stay where else they are.",
                stays,
            )
        )
    return " ".join(parts)
