"""What a person chooses in the settings panel, and where it is kept."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
import pytest
import pytest_asyncio
from chainlit.user import User

from xnai.accounts import Principal, acting
from xnai.answering.prompt import PLAIN_SYSTEM
from xnai.errors import XnaiError
from xnai.settings import Settings
from xnai.ui import settings_panel
from xnai.ui.history.data_layer import FILE_NAME, SqliteHistory
from xnai.ui.history.sqlite import schema
from xnai.ui.history.sqlite.store import HistoryStore

MODEL: Any = SimpleNamespace(status=SimpleNamespace(name="tiny"))
CHOSEN = {
    "temperature": 0.4,
    "max_tokens": 64,
    "passages": 3,
    "instructions": "Be brief.",
    "prompts": "reply: Be kind.",
}


async def nothing(_: str) -> None: ...


@pytest_asyncio.fixture(name="history")
async def history_(tmp_path: Path) -> AsyncIterator[SqliteHistory]:
    history = SqliteHistory(tmp_path, nothing)
    await history.create_user(User(identifier="ann"))
    yield history
    await history.close()


def act_as(name: str) -> None:
    acting.set(Principal(name, "key"))


async def test_everybody_has_their_own_and_the_newest_counts(history: SqliteHistory):
    act_as("ann")
    assert await history.choices() == {}
    await history.keep_choices({"passages": 3})
    await history.keep_choices(CHOSEN)
    await history.create_user(User(identifier="bob"))
    act_as("bob")
    assert await history.choices() == {}
    await history.keep_choices({"passages": 9})
    act_as("ann")
    assert await history.choices() == CHOSEN


async def test_of_nobody_who_is_known_nothing_is_kept(history: SqliteHistory):
    act_as("eve")
    await history.keep_choices(CHOSEN)
    assert await history.choices() == {}


async def test_they_outlive_the_server_and_go_with_their_person(tmp_path: Path):
    act_as("ann")
    first = SqliteHistory(tmp_path, nothing)
    await first.create_user(User(identifier="ann"))
    await first.keep_choices(CHOSEN)
    await first.close()
    second = SqliteHistory(tmp_path, nothing)
    assert await second.choices() == CHOSEN
    await second.close()

    db = apsw.Connection(str(tmp_path / FILE_NAME))
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("DELETE FROM users")
    assert db.execute("SELECT count(*) FROM choices").get == 0
    db.close()


def test_a_history_of_the_version_before_gets_the_table_and_loses_nothing(tmp_path: Path):
    path = tmp_path / FILE_NAME
    former = schema.MIGRATIONS[:3]
    old = apsw.Connection(str(path))
    old.create_scalar_function("person_id_of_former_name", str, 1)
    old.create_scalar_function("linked_citations", lambda output, _: output, 2)
    for migration in former:
        old.execute(migration.sql)
    old.pragma("user_version", len(former))
    old.execute("INSERT INTO users (id, identifier, created_at) VALUES ('1', 'ann', '2026')")
    old.close()

    store = HistoryStore(path)

    ann = Principal("ann", "key")
    assert store.note == ""
    assert store.threads.user("ann") is not None
    assert store.choices.of(ann) == {}
    store.choices.put(ann, CHOSEN)
    assert store.choices.of(ann) == CHOSEN
    store.close()


async def test_a_history_that_cannot_be_opened_says_so(tmp_path: Path):
    (tmp_path / FILE_NAME).mkdir()
    history = SqliteHistory(tmp_path, nothing)
    act_as("ann")
    with pytest.raises(XnaiError):
        await history.choices()
    await history.close()


def chosen(**values: Any) -> settings_panel.Choices:
    return settings_panel.read(Settings(), MODEL, values)


def test_what_is_kept_is_all_but_the_model_and_reads_as_it_was():
    kept = chosen(**CHOSEN, model="other", unknown=1).personal
    assert kept == CHOSEN
    assert chosen(**kept).personal == kept


def test_instructions_are_bounded_and_stand_behind_what_the_program_tells():
    long = chosen(instructions=" x" * 5000)
    assert len(long.instructions) == settings_panel.LONGEST_INSTRUCTIONS
    assert chosen(instructions="Be brief.").system == f"{PLAIN_SYSTEM}\n\nBe brief."
    assert chosen(instructions=None).system == chosen(instructions="  ").system == ""


def test_every_setting_has_a_sentence_and_begins_as_it_was_chosen():
    shown = settings_panel.widgets(chosen(**CHOSEN), ["tiny", "other"])
    assert [one.id for one in shown if not one.description.strip().endswith(".")] == []
    begins = {one.id: one.initial for one in shown}
    assert begins == {**CHOSEN, "model": "tiny"}


@pytest.mark.parametrize("value", [10**400, -(10**400), "nan", float("inf"), [], {}, "x", True])
def test_no_number_that_a_browser_may_send_breaks_the_panel(value: Any):
    read = chosen(temperature=value, max_tokens=value, passages=value)
    assert 0 <= read.temperature <= 2
    assert 1 <= read.max_tokens <= 4096
    assert 1 <= read.passages <= 20
