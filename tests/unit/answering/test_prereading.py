"""Reading ahead: what is read when, and that a question comes first."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from fakes import ShelfLibrary

from rig.queue_model import QueueModel
from rig.waiting import eventually, stays
from xnai.answering.reading import prereading
from xnai.answering.reading.prereading import WISHES, Prereader
from xnai.answering.reading.prompt import head
from xnai.answering.tables import writing
from xnai.errors import MODEL_CRASHED, XnaiError
from xnai.llm.protocol import Completion, Finished
from xnai.types import Passage, Scope, Usage

RENT = "The monthly rent is 4,650 euros."


@dataclass
class AheadModel(QueueModel):
    """A local model that reads until it is let go."""

    free: asyncio.Event = field(default_factory=asyncio.Event)
    failing: XnaiError | None = None

    @property
    def status(self):
        return replace(super().status, engine=object())

    async def complete(self, completion: Completion):
        self.asked.append(completion)
        try:
            await self.free.wait()
            if self.failing:
                raise self.failing
            yield Finished("length", Usage(1, 1))
        finally:
            self.closed += 1


class Forgotten(list[str]):
    """Ids of documents of which nothing is to be kept."""

    remove = list.append

    def clean(self, known: object) -> None:
        raise AssertionError(known)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(prereading, "_PAUSE", 0.01)


async def until(condition: Callable[[], bool]) -> None:
    await eventually(condition, pace=0.001)


def texts(model: QueueModel) -> list[str]:
    return [completion.messages[-1].content for completion in model.asked]


def shelf() -> ShelfLibrary:
    return ShelfLibrary([Passage("d", "a.txt", None, 0, len(RENT), RENT, 0.9)])


@pytest.fixture
async def ahead():
    model = AheadModel()
    reader = Prereader(shelf(), model, Forgotten())
    reader.start()
    yield reader, model
    await reader.close()


async def test_what_prompts_begin_with_is_read_once_and_then_what_was_wished(ahead):
    reader, model = ahead
    model.free.set()
    await until(lambda: len(model.asked) == 2)
    assert model.asked[0].messages[:-1] == head()
    assert model.asked[1].messages[:-1] == writing.head()

    reader.wish(Scope("a"))
    await until(lambda: len(model.asked) == 3)

    assert RENT in texts(model)[2]
    assert model.asked[2].messages[: len(head())] == head()
    assert model.asked[2].sampling.max_tokens == 1
    await stays(lambda: len(model.asked) == 3)


async def test_a_question_ends_a_reading_which_begins_again_behind_it(ahead):
    reader, model = ahead
    await until(lambda: len(model.asked) == 1)

    with reader.asked():
        await until(lambda: model.closed == 1)
        reader.wish(Scope("a"))
        await stays(lambda: len(model.asked) == 1)

    model.free.set()
    await until(lambda: len(model.asked) == 4)
    assert texts(model)[0] == texts(model)[1] == "Question:"
    assert RENT in texts(model)[3]


async def test_what_is_read_is_kept_under_its_documents_name(ahead):
    reader, model = ahead
    model.free.set()
    reader.wish(Scope("a"))
    await until(lambda: len(model.asked) == 3)
    assert [completion.keep for completion in model.asked] == ["head", "head-tables", "d"]


@pytest.mark.parametrize("is_asked", [True, False])
async def test_of_a_document_that_was_deleted_while_it_was_read_nothing_is_kept(is_asked):
    class Emptied(ShelfLibrary):
        async def get(self, document_id: str) -> None:
            return None

    model, forgotten = AheadModel(), Forgotten()
    reader = Prereader(Emptied(shelf().shelf), model, forgotten)
    reader._head_of = reader._loaded()
    reader.wish(Scope("a"))
    reader.start()
    await until(lambda: len(model.asked) == 1)
    if is_asked:
        with reader.asked():
            await until(lambda: forgotten == ["d"])
    else:
        model.free.set()
        await until(lambda: forgotten == ["d"])
    await reader.close()


async def test_a_model_that_is_loaded_anew_reads_its_head_again(ahead):
    reader, model = ahead
    model.free.set()
    await until(lambda: len(model.asked) == 2)
    model.since += 1
    await until(lambda: len(model.asked) == 4)
    assert model.asked[2].keep == "head"
    assert reader._wishes == {}


async def test_of_two_questions_at_once_both_must_have_their_answers(ahead):
    reader, model = ahead
    await until(lambda: len(model.asked) == 1)
    first, second = reader.asked(), reader.asked()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    await until(lambda: model.closed == 1)
    await stays(lambda: len(model.asked) == 1)

    second.__exit__(None, None, None)

    await until(lambda: len(model.asked) == 2)


async def test_of_very_many_wishes_the_latest_are_kept_and_come_first():
    model = AheadModel()
    reader = Prereader(shelf(), model, Forgotten())
    for number in range(3 * WISHES):
        reader.wish(Scope(f"o{number}"))
    reader.wish(Scope("o40"))
    assert len(reader._wishes) == WISHES
    assert next(reversed(reader._wishes)) == Scope("o40")

    model.free.set()
    reader.start()
    await until(lambda: not reader._wishes)
    await reader.close()

    assert len(model.asked) == 2 + WISHES


@pytest.mark.parametrize(
    "changes", [{"parameters": 135_000_000}, {"state": "loading"}, {"state": "down"}]
)
async def test_a_model_that_cannot_read_is_left_alone(changes):
    model = AheadModel(**changes)
    reader = Prereader(shelf(), model, Forgotten())
    reader.wish(Scope("a"))
    reader.start()
    await stays(lambda: model.asked == [])
    await reader.close()


async def test_a_reading_that_fails_is_given_up_and_the_next_one_begins(ahead):
    reader, model = ahead
    model.failing = XnaiError(MODEL_CRASHED, reason="killed")
    model.free.set()
    reader.wish(Scope("a"))

    await until(lambda: len(model.asked) == 2)

    await until(lambda: not reader._wishes)


@pytest.mark.parametrize("begun", [True, False])
async def test_closing_leaves_no_task(begun):
    before = asyncio.all_tasks()
    model = AheadModel()
    reader = Prereader(shelf(), model, Forgotten())
    reader.start()
    if begun:
        await until(lambda: len(model.asked) == 1)

    await reader.close()

    assert asyncio.all_tasks() == before
    assert model.closed == len(model.asked)
