"""The self-test itself: the engine that is installed here passes it, by a wide margin."""

import os
from pathlib import Path

import pytest

from xnai.llm.build import record
from xnai.llm.build.commands import Commands
from xnai.llm.build.engine_build import EngineBuild
from xnai.llm.build.inputs import wheel_key
from xnai.llm.build.ladder import steps
from xnai.llm.build.self_test import TINY_TOLERANCE, TOLERANCE, SelfTest
from xnai.settings import Settings

pytestmark = pytest.mark.engine


@pytest.fixture
def commands(tmp_path):
    (tmp_path / "tmp").mkdir()
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    yield Commands(tmp_path, 0, lock)
    os.close(lock)


async def test_the_installed_engine_computes_what_a_plain_build_did(commands):
    trial = await SelfTest(commands, "native", None).run()

    assert trial.passed, trial.reason
    kinds = {name.split(",")[0] for name in trial.deviations}
    assert {"bundled", "written", "Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q6_K"} == kinds
    assert 0 == trial.deviations["written"]
    for name, value in trial.deviations.items():
        assert value <= (TOLERANCE if name.startswith("bundled") else TINY_TOLERANCE) / 2, name


@pytest.fixture
def broken(tmp_path):
    """A folder with a package of the engine's name that cannot be imported."""
    package = tmp_path / "package"
    (package / "llama_cpp").mkdir(parents=True)
    Path(package, "llama_cpp", "__init__.py").write_text("raise ImportError('no library')\n")
    return package


async def test_a_package_that_is_no_engine_fails_and_says_where(commands, broken):
    trial = await SelfTest(commands, "native", broken).run()

    assert not trial.passed
    assert "ended its self-test with status 1: ImportError: no library" == trial.reason


class PlainWorkshop:
    """A workshop whose wheels are folders already."""

    def __init__(self, commands: Commands) -> None:
        self.commands = commands

    async def unpack(self, wheel: Path, _name: str) -> Path:
        return wheel


@pytest.mark.parametrize(
    ("ends", "runs", "is_kept"),
    [("import os; os.kill(os.getpid(), 9)", "xx", False), ("raise ImportError", "x", True)],
)
async def test_a_build_whose_self_test_was_killed_is_tried_again_and_not_condemned(  # noqa: PLR0913, PLR0917 - two fixtures, three parameters
    commands, broken, tmp_path, ends, runs, is_kept
):
    said, module = tmp_path / "said", broken / "llama_cpp" / "__init__.py"
    script = f"open({str(said)!r}, 'a').write('x')\n{ends}\n"
    module.write_text(script)
    settings, step = Settings(data_dir=tmp_path / "data"), steps()[0]
    build = EngineBuild(settings)

    passed = await build._use(PlainWorkshop(commands), step, broken, None)

    kept = record.read_trial(settings.data_dir / "engine" / wheel_key(step, ""))
    assert not passed
    assert (said.read_text(), kept is not None) == (runs, is_kept)
