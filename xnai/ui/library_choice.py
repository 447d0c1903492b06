"""Which libraries a chat asks beside its own documents, as its person has chosen."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from chainlit.input_widget import InputWidget, Switch

from xnai.accounts import Principal
from xnai.documents.libraries import Libraries
from xnai.documents.library_names import OWN_NAME
from xnai.errors import XnaiError
from xnai.locale import Texts, marked
from xnai.observability.error_reports import report
from xnai.retrieval.libraries import NamedLibrary, own_id

KEY = "library:"  # begins the settings of a chat that say whether a library is asked
MOST = 100  # that one chat asks
SHOWN = 20  # that can be chosen in the settings, beside the own one
_LONGEST_ID = 64  # characters
_OWN = marked("My library")  # what OWN_NAME is on the page
_COUNTED = "\0"  # begins what stands for a number of documents: no library is called so


class AskedLibraries(NamedTuple):
    """The libraries that a question is put to: their ids, and what they are called."""

    ids: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def library_name(library: NamedLibrary, texts: Texts) -> str:
    """Return what a library is called on the page."""
    return texts.say(_OWN) if library.is_own else library.name


def told_name(name: str, texts: Texts) -> str:
    """Return a name of ``AskedLibraries`` as the page says it."""
    if name.startswith(_COUNTED):
        count = int(name.removeprefix(_COUNTED))
        return texts.say_number("{number} chosen document", "{number} chosen documents", count)
    return texts.say(_OWN) if name == OWN_NAME else name


def counted(documents: int) -> str:
    """Return what stands among the names of what was asked for so many chosen documents."""
    return f"{_COUNTED}{documents}"


def switches(
    libraries: Mapping[str, str], chosen: Sequence[str], texts: Texts
) -> list[InputWidget]:
    """Return a switch for each library, given as names by ids; the last says what they do."""
    told = texts.say("Asked in this chat beside its own documents; new chats begin with the same.")
    last = next(reversed([*libraries]), "")
    return [
        Switch(
            id=f"{KEY}{library_id}",
            label=_switch_words(name, texts),
            initial=library_id in chosen,
            description=told if library_id == last else None,
        )
        for library_id, name in libraries.items()
    ]


def _switch_words(name: str, texts: Texts) -> str:
    if name == OWN_NAME:
        return texts.say("Ask my library too")
    return texts.say("Ask {library} too", library=name)


def chosen_ids(values: Mapping[str, object]) -> tuple[str, ...]:
    """Read which libraries are chosen in the settings of a chat, which come from the browser."""
    ids = [
        key.removeprefix(KEY) for key, value in values.items() if is_choice(key) and value is True
    ]
    return tuple(one for one in ids if 0 < len(one) <= _LONGEST_ID)[:MOST]


def is_choice(key: str) -> bool:
    """Whether a setting of a chat says that a library is asked there."""
    return key.startswith(KEY)


def merged(before: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a chat that is opened: ``before`` are its own, ``kept`` the person's.

    A chat goes on asking the libraries that it asked; a new one begins with those chosen last.
    """
    others = {key: value for key, value in kept.items() if not (before and is_choice(key))}
    return {**before, **others}


async def offered(libraries: Libraries, person: Principal, chosen: Sequence[str]) -> dict[str, str]:
    """Return what can be chosen, names by ids: the own library, and those that are used most.

    The library that everybody has is there also while the others cannot be looked up.
    """
    found: Sequence[NamedLibrary] = ()
    try:
        found = await libraries.all(person)
    except XnaiError as exc:
        report(exc)
    others = [one for one in found if not one.is_own]
    others.sort(key=lambda one: (one.id not in chosen, -one.used_at))
    own = {own_id(person.person_id): OWN_NAME}
    return own | {one.id: one.name for one in others[:SHOWN]}


async def asked(libraries: Libraries, person: Principal, chosen: Sequence[str]) -> AskedLibraries:
    """Return those of the chosen libraries that are there and have something to be asked."""
    there = await libraries.askable(person, chosen)
    return AskedLibraries(
        tuple(one.id for one in there), tuple(OWN_NAME if one.is_own else one.name for one in there)
    )
