"""Measurements of the bundled model, beside the engine that has it loaded."""

import math
import time
from contextlib import aclosing

import psutil
import pytest
import pytest_asyncio

from rig.waiting import eventually
from xnai.llm.build.engine_build import EngineBuild
from xnai.llm.calibration import calibrator, choice, measurements, neighbours, plan
from xnai.llm.calibration.choice import FindingsFile
from xnai.llm.calibration.neighbours import Neighbours
from xnai.llm.engine.local_engine import LocalEngine
from xnai.llm.gguf.catalogue import bundled_path
from xnai.llm.protocol import Completion, TokenText
from xnai.settings import Settings
from xnai.types import Message, Sampling

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]

PATIENCE = 180


@pytest.fixture
def settings(tmp_path):
    chosen = {"calibration": True, "slots": 2, "context": 1024, "threads": 2}
    return Settings(data_dir=tmp_path / "data", **chosen)


@pytest.fixture
def briefly(monkeypatch):
    """Measure as soon as an engine is idle, and each thing once."""
    monkeypatch.setattr(calibrator, "IDLE_SECONDS", 0.2)
    monkeypatch.setattr(neighbours, "SPARE_CORES", math.inf)  # other tests run beside this one
    for module in (plan, choice):
        monkeypatch.setattr(module, "ROUNDS", 1)
    for ways in ("CHUNKS", "SPINS"):
        monkeypatch.setattr(plan, ways, ())


@pytest_asyncio.fixture
async def engine(settings, briefly):  # noqa: ARG001 - it changes what is measured
    """An engine that measures as soon as it is idle."""
    made = LocalEngine(settings, EngineBuild(settings))
    yield made
    await made.close()


def measuring():
    """The processes that measure, of this process."""
    found = []
    for child in psutil.Process().children():
        try:
            line = child.cmdline()
        except psutil.Error:
            continue
        if "xnai.llm.probe.measure" in line or (
            "requantise_to" in " ".join(line) and ('"requantise_to": ""' not in " ".join(line))
        ):
            found.append(child)
    return found


def loaded(engine):
    """The file that the worker has loaded."""
    line = " ".join(psutil.Process(engine.worker_pid).cmdline())
    return line.split('"model": "')[1].split('"')[0]


def findings(settings):
    file = FindingsFile(settings.data_dir / "models" / "measured.json")
    names = list(file._all())
    return file.read(names[0]) if names else None


async def ready(engine):
    await engine.start()
    await engine.ensure_ready(time.monotonic() + PATIENCE)


@pytest.mark.nightly
async def test_copies_that_answer_otherwise_are_out_and_gone(engine, settings):
    await ready(engine)
    done = await eventually(
        lambda: (found := findings(settings)) and found.done and found, seconds=PATIENCE
    )

    assert {"Q8_0", "Q4_0"} == set(done.out)
    for reason in done.out.values():  # which of them it is depends on the machine
        assert any(words in reason for words in ("nats", "another token", "as it came"))
    assert done.speed("").read > 0
    folder = settings.data_dir / "models"
    assert {"bundled.json", "measured.json"} == {path.name for path in folder.iterdir()}
    assert loaded(engine).endswith("Q4_1.gguf")


@pytest.mark.nightly
async def test_a_copy_that_is_faster_and_as_good_is_run_from_then_on(engine, settings, monkeypatch):
    monkeypatch.setattr(plan, "COPIES", {"Q8_0": 8.5})
    monkeypatch.setattr(measurements, "LEAST_SAME", 0.5)
    for share in ("LOSS", "GAIN"):
        monkeypatch.setattr(plan, share, 0.0)
    # Which copy is faster depends on the machine; what follows from it does not.
    best = property(lambda found: "Q8_0" if found.done else "")
    monkeypatch.setattr(choice.Findings, "copy", best)
    await ready(engine)
    before = engine.worker_pid
    await eventually(lambda: (found := findings(settings)) and found.done, seconds=PATIENCE)
    await eventually(lambda: engine.worker_pid not in {None, before}, seconds=PATIENCE)

    assert loaded(engine).endswith(".Q8_0.gguf")
    again = LocalEngine(settings, EngineBuild(settings))
    try:
        await ready(again)
        assert loaded(again).endswith(".Q8_0.gguf")
    finally:
        await again.close()


@pytest.mark.usefixtures("engine")  # which has it measured soon
async def test_the_way_to_run_a_model_that_is_faster_is_taken_from_then_on(settings, monkeypatch):
    monkeypatch.setattr(plan, "COPIES", {})
    monkeypatch.setattr(plan, "CHUNKS", (256,))
    monkeypatch.setattr(plan, "SPINS", (300_000,))
    # Whether it is faster depends on the machine; what follows from it does not.
    monkeypatch.setattr(plan, "LOSS", 0.0)
    monkeypatch.setattr(choice, "TUNING_GAIN", 0.0)
    other = LocalEngine(settings, EngineBuild(settings))
    try:
        await ready(other)
        before = other.worker_pid
        await eventually(lambda: (found := findings(settings)) and found.done, seconds=PATIENCE)
        await eventually(lambda: other.worker_pid not in {None, before}, seconds=PATIENCE)
        worker = psutil.Process(other.worker_pid)
        assert "300000" == worker.environ()["GOMP_SPINCOUNT"]
        assert '"chunk": 256' in " ".join(worker.cmdline())
    finally:
        await other.close()


async def test_a_question_stops_the_measurement_at_once_and_it_is_taken_up_later(
    engine, settings, monkeypatch
):
    monkeypatch.setattr(plan, "COPIES", {})
    await ready(engine)
    await eventually(measuring, seconds=PATIENCE)
    monkeypatch.setattr(calibrator, "IDLE_SECONDS", 60.0)
    sampling = Sampling(max_tokens=16)
    completion = Completion("r", "u", (Message("user", "Hello"),), sampling, time.monotonic() + 60)
    seen_beside_text, is_begun = [], False
    async with aclosing(engine.complete(completion)) as events:
        async for event in events:
            if isinstance(event, TokenText) and not is_begun:
                is_begun = True  # what was killed may still be about to end
                await eventually(lambda: not measuring(), seconds=PATIENCE)
            elif isinstance(event, TokenText):
                seen_beside_text += measuring()
    assert is_begun
    assert [] == seen_beside_text

    monkeypatch.setattr(calibrator, "IDLE_SECONDS", 0.2)
    await eventually(lambda: (found := findings(settings)) and found.done, seconds=PATIENCE)


@pytest.mark.usefixtures("briefly")
async def test_a_model_of_ones_own_is_measured_too(settings, tmp_path, monkeypatch):
    """Nothing has made the folder of copies for it yet."""
    monkeypatch.setattr(plan, "COPIES", {})
    own = tmp_path / "own.gguf"
    own.symlink_to(bundled_path())
    changed = settings.model_copy(update={"model": str(own)})
    engine = LocalEngine(changed, EngineBuild(changed))
    try:
        await ready(engine)
        await eventually(lambda: (found := findings(changed)) and found.done, seconds=PATIENCE)
    finally:
        await engine.close()


async def test_a_speed_beside_other_work_does_not_count_and_is_taken_when_that_is_over(
    engine, settings, monkeypatch
):
    monkeypatch.setattr(plan, "COPIES", {})
    monkeypatch.setattr(calibrator, "REST_SECONDS", 0.1)
    # Nothing is quiet enough once a measurement has begun.
    asked, spare = [], Neighbours.too_busy
    monkeypatch.setattr(
        Neighbours, "too_busy", lambda self: (asked.append(spare(self)), len(asked) % 3 == 0)[1]
    )
    await ready(engine)
    await eventually(lambda: len(asked) >= 6, seconds=PATIENCE)
    found = findings(settings)
    assert {} == found.speeds
    assert found.seconds > 0
    assert not found.done

    monkeypatch.setattr(Neighbours, "too_busy", lambda _: False)
    await eventually(lambda: (found := findings(settings)) and found.done, seconds=PATIENCE)


async def test_closing_ends_the_measurement(engine):
    await ready(engine)
    (process, *_) = await eventually(measuring, seconds=PATIENCE)
    await engine.close()

    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
