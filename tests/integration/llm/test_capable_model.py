"""The smallest model that answers over documents, asked through the engine."""

import time
from contextlib import aclosing

import pytest

from xnai.answering.tables import writing
from xnai.answering.tables.calculation import calculated
from xnai.answering.tables.columns import query_table
from xnai.answering.tables.query import read_query
from xnai.answering.tables.records import tables_of
from xnai.llm.build.engine_build import EngineBuild
from xnai.llm.engine.local_engine import LocalEngine
from xnai.llm.protocol import Completion, TokenText
from xnai.models.catalogue import shipped
from xnai.settings import Settings
from xnai.types import Message, PageText, Sampling

pytestmark = [pytest.mark.engine, pytest.mark.needs("capable_model")]
LIMIT = 240  # seconds on a busy machine

LETTER = """Dear Ms Okafor,
your order 7741 of 3 May left our warehouse on 9 May. The carrier is Brightline Freight.
The invoice over 418.50 euros is due on 30 June."""
ORDERS = "".join(
    f"Order: {4000 + n}; Town: {('Brackley', 'Oundle')[n % 2]}; Bottles: {n}; Price: {n}.50 EUR.\n"
    for n in range(1, 9)
)


@pytest.fixture
async def engine(capable_model, tmp_path):
    settings = Settings(
        _env_file=None,
        data_dir=tmp_path / "data",
        models_dir=tmp_path / "models",
        model=str(capable_model),
        context=2048,
        slots=1,
        calibration=False,
    )
    engine = LocalEngine(settings, EngineBuild(settings))
    await engine.start()
    try:
        await engine.ensure_ready(time.monotonic() + LIMIT)
        yield engine
    finally:
        await engine.close()


async def written(engine, asked: tuple[Message, ...], **sampling) -> str:
    """What the model writes to messages, the likeliest."""
    greedy = Sampling(temperature=0.0, **sampling)
    completion = Completion("r", "u", asked, greedy, time.monotonic() + LIMIT)
    async with aclosing(engine.complete(completion)) as events:
        return "".join([e.text async for e in events if isinstance(e, TokenText)])


async def test_it_answers_a_question_over_a_text(engine):
    question = f"{LETTER}\n\nWhich carrier has the order? Answer in one short sentence."
    assert "Brightline Freight" in await written(
        engine, (Message("user", question),), max_tokens=40
    )
    entry = shipped().find(engine.status.name)
    assert entry is not None
    assert engine.parameters == entry.weights


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("How many bottles did the orders from Brackley have altogether?", "= 2 + 4 + 6 + 8 = 20"),
        ("How many orders are there?", "= 8"),
    ],
)
async def test_it_writes_a_query_that_is_worked_out(engine, question, told):
    (found,) = tables_of([PageText("d1", "orders.csv", 1, None, ORDERS)])
    table = query_table(found, 40)
    asked, grammar = writing.messages(table, question), writing.grammar(table)

    query = read_query(await written(engine, asked, max_tokens=96, grammar=grammar), table)

    assert query is not None
    result = calculated(query, "")
    assert result is not None
    assert result.text.endswith(told)
