import asyncio
import errno
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from xnai.errors import XnaiError
from xnai.llm.build import inputs as build_inputs
from xnai.llm.build import record
from xnai.llm.build.engine_build import EngineBuild
from xnai.llm.build.inputs import check_machine, cmake_args, wheel_key
from xnai.llm.build.ladder import ARM, Rung, steps
from xnai.llm.build.record import Installed
from xnai.llm.hardware import machine_key
from xnai.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder that stands for site-packages, without the engine of this environment."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder)])
    # Other tests use the engine in this process, and what is imported counts as installed.
    monkeypatch.delitem(sys.modules, "llama_cpp", raising=False)
    return folder


def install(packages, *names: str):
    for name in names:
        path = packages / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


WHOLE = (
    "llama_cpp/__init__.py",
    "llama_cpp/lib/libllama.so",
    "llama_cpp_python-0.3.36.dist-info/INSTALLER",
)


@pytest.fixture
def noted(tmp_path, monkeypatch):
    """Writes the record of this environment, in a place of the test's own."""
    monkeypatch.setattr(record, "installed_path", lambda: tmp_path / ".engine.json")

    def write(name="native", **changes: object) -> Installed:
        step = {step.name: step for step in steps()}[name]
        values = {"key": wheel_key(step, ""), "machine": machine_key(), "words": step.words}
        made = Installed(**{"build": name, **values, **changes})
        record.write_installed(made)
        return made

    return write


@pytest.mark.usefixtures("packages")
def test_the_engine_is_not_installed_where_there_is_none(settings, noted):
    noted()

    assert not EngineBuild(settings).installed


def test_the_engine_is_installed_when_all_of_it_is_there_and_it_passed(settings, packages, noted):
    install(packages, *WHOLE)
    noted()

    assert EngineBuild(settings).installed


@pytest.mark.usefixtures("noted")
def test_an_engine_that_nobody_tried_is_not_installed(settings, packages):
    install(packages, *WHOLE)

    assert not EngineBuild(settings).installed


@pytest.mark.parametrize("missing", [1, 2])
def test_an_engine_that_is_not_whole_is_not_installed(settings, packages, noted, missing):
    install(packages, *(name for place, name in enumerate(WHOLE) if place != missing))
    noted()

    assert not EngineBuild(settings).installed


@pytest.mark.parametrize("changes", [{"machine": "another"}, {"key": "0.3.35-native-0"}])
def test_an_engine_of_another_processor_or_version_is_not_installed(
    settings, packages, noted, changes
):
    install(packages, *WHOLE)
    noted(**changes)

    assert not EngineBuild(settings).installed


def test_a_build_that_is_not_the_one_named_is_not_installed(tmp_path, packages, noted):
    install(packages, *WHOLE)
    noted()

    assert not EngineBuild(Settings(data_dir=tmp_path, engine_build="baseline")).installed


def test_a_build_that_cannot_run_here_is_refused_by_name(tmp_path, noted):
    noted()  # of a build that works, and is not the one that is wanted
    here = {step.name for step in steps()}
    other = "native-no-amx" if ARM in here else ARM
    build = EngineBuild(Settings(data_dir=tmp_path, engine_build=other))

    with pytest.raises(
        XnaiError, match=f"XNAI_ENGINE_BUILD is '{other}', and this processor cannot"
    ):
        asyncio.run(build.run())
    assert "failed" == build.status.self_test


def test_looking_for_the_engine_does_not_import_it(settings, monkeypatch):
    monkeypatch.delitem(sys.modules, "llama_cpp", raising=False)

    assert EngineBuild(settings).installed in {True, False}
    assert "llama_cpp" not in sys.modules


def test_a_machine_without_a_compiler_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)

    with pytest.raises(XnaiError, match=r"no C\+\+ compiler.*build-essential") as caught:
        check_machine(tmp_path)
    assert "engine_build_failed" == caught.value.code


def test_a_compiler_that_is_named_but_missing_is_named_in_the_error(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "my-own-c++")

    with pytest.raises(XnaiError, match="no 'my-own-c\\+\\+' on this machine, which CXX names"):
        check_machine(tmp_path)


def test_a_full_disk_is_noticed_before_the_build(tmp_path, monkeypatch):
    usage = SimpleNamespace(free=500_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(shutil, "which", lambda name: name)

    with pytest.raises(XnaiError, match=r"500 MB of disk are free, and 2\.0 GB are needed"):
        check_machine(tmp_path)


@pytest.mark.parametrize(("gigabytes", "cores", "expected"), [(16, 4, 4), (2.5, 4, 2), (0.3, 4, 1)])
def test_no_more_compilers_run_than_memory_allows(monkeypatch, gigabytes, cores, expected):
    monkeypatch.setattr(build_inputs, "available_memory", lambda: int(gigabytes * 1e9))
    monkeypatch.setattr(build_inputs, "usable_cores", lambda: cores)

    assert expected == build_inputs.compilers()


def test_the_users_own_options_for_cmake_come_last(monkeypatch):
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_BLAS=ON")
    step = Rung("avx2", "AVX2", ("-DGGML_NATIVE=OFF",))

    args = cmake_args(step, "-DGGML_CUDA=ON")
    assert args.startswith("-DLLAVA_BUILD=OFF ")
    assert args.endswith(" -DGGML_NATIVE=OFF -DGGML_BLAS=ON -DGGML_CUDA=ON")


def test_a_wheel_for_other_options_is_not_the_same():
    step = steps()[0]

    assert wheel_key(step, "") != wheel_key(step, "-DGGML_CUDA=ON")
    assert len({wheel_key(step, "") for step in steps()}) == len(steps())


def test_a_wheel_of_another_processor_is_not_the_same_unless_it_travels(monkeypatch):
    step, travelling = Rung("native", "this"), Rung("dynamic", "every")
    here = wheel_key(step, ""), wheel_key(travelling, "")
    real = Path.read_text

    def read(path, *arguments: str) -> str:
        other = "processor : 0\nflags : fpu sse\n"
        return other if str(path) == "/proc/cpuinfo" else real(path, *arguments)

    monkeypatch.setattr(Path, "read_text", read)

    assert here[0] != wheel_key(step, "")
    assert here[1] == wheel_key(travelling, "")


def test_the_reaper_passes_the_exit_status_on(tmp_path):
    reaper = Path(build_inputs.__file__).with_name("reaper.py")

    async def status(code) -> int:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(reaper), "0", str(tmp_path)),
            *(sys.executable, "-c", code),
            stdin=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        return await process.wait()

    async def both() -> tuple[int, int]:
        return await status("raise SystemExit(7)"), await status(
            "import os; os.kill(os.getpid(), 9)"
        )

    assert (7, 137) == asyncio.run(both())


@pytest.mark.usefixtures("noted")
async def test_a_disk_that_fills_up_during_the_build_is_told_with_what_to_do(settings):
    build = EngineBuild(settings)
    with pytest.raises(XnaiError) as told:
        async with build._working() as workshop:
            left = workshop.commands.scratch / "half.o"
            left.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device", str(left))
    assert told.value.message.endswith("could not be compiled: the disk is full.")
    assert told.value.hint.startswith("Free 2 GB of disk space. The build is tried again")
    assert (build.status.self_test, left.parent.exists()) == ("failed", False)
