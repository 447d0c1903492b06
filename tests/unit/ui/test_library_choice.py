"""Which libraries a chat asks: what is read from its settings, and what it is offered."""

from types import SimpleNamespace
from typing import Any

import pytest

from xnai.accounts import Principal
from xnai.errors import SEARCH_DOWN, XnaiError
from xnai.locale import texts_in
from xnai.retrieval.libraries import NamedLibrary, own_id
from xnai.settings import Settings
from xnai.ui import library_choice, settings_panel
from xnai.ui.library_choice import chosen_ids, merged

ANN = Principal("ann", "key")
OWN = own_id("ann")
MODEL: Any = SimpleNamespace(status=SimpleNamespace(name="tiny"))


def made(number: int, used_at: float = 0.0) -> NamedLibrary:
    return NamedLibrary(f"l{number}", "ann", f"Library {number}", f"library {number}", 0, used_at)


class Kept:
    """The libraries of a person, as the program keeps them."""

    def __init__(self, *libraries: NamedLibrary, error: XnaiError | None = None) -> None:
        self.libraries, self.error = libraries, error

    async def all(self, _: Principal) -> list[NamedLibrary]:
        if self.error:
            raise self.error
        return [NamedLibrary(OWN, "ann", "", "", 0, 0), *self.libraries]


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ({}, ()),
        ({"library:a": True, "library:b": False, "library:c": "true", "temperature": 1}, ("a",)),
        ({"library:": True, f"library:{'x' * 65}": True, "library:b": 1}, ()),
        ({f"library:{n}": True for n in range(200)}, tuple(map(str, range(100)))),
    ],
)
def test_what_a_browser_sends_is_read_with_care(values, ids):
    assert chosen_ids(values) == ids


def test_a_chat_keeps_its_libraries_and_a_new_one_begins_with_those_chosen_last():
    kept = {"library:b": True, "passages": 3}
    assert merged({}, kept) == kept
    before = {"library:a": True, "library:b": False, "passages": 9}
    assert merged(before, kept) == {**before, "passages": 3}
    assert merged({"passages": 9}, kept) == {"passages": 3}  # it has asked none


def test_what_is_kept_for_the_chats_to_come_is_what_is_read_again():
    chosen = settings_panel.read(Settings(), MODEL, {"library:a": True, "library:b": False})
    assert chosen.libraries == ("a",)
    again = settings_panel.read(Settings(), MODEL, chosen.personal)
    assert again == chosen


async def test_those_chosen_come_first_then_those_used_last():
    many: Any = Kept(*(made(n, used_at=n) for n in range(30)))
    offered = await library_choice.offered(many, ANN, ["l3"])
    assert [*offered][:3] == [OWN, "l3", "l29"]
    assert len(offered) == 1 + library_choice.SHOWN


async def test_ones_own_is_offered_also_while_nothing_can_be_looked_up():
    down: Any = Kept(error=XnaiError(SEARCH_DOWN, reason="it is down"))
    assert [*(await library_choice.offered(down, ANN, []))] == [OWN]


def test_each_has_a_switch_in_the_language_of_the_reader():
    libraries = {OWN: "My library", "l1": "Norwick"}
    own, other = library_choice.switches(libraries, ["l1"], texts_in("de"))
    assert (own.label, own.initial) == ("Auch meine Bibliothek fragen", False)
    assert (other.label, other.initial) == ("Auch Norwick fragen", True)
    assert own.description is None
    assert other.description
