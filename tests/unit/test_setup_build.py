import asyncio
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from xnai.errors import XnaiError
from xnai.llm import build_inputs
from xnai.llm.build import EngineBuild
from xnai.llm.build_inputs import check_machine, cmake_args, wheel_key
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


@pytest.mark.usefixtures("packages")
def test_the_engine_is_not_installed_where_there_is_none(settings):
    assert not EngineBuild(settings).installed


def test_the_engine_is_installed_when_all_of_it_is_there(settings, packages):
    build = EngineBuild(settings)
    install(
        packages,
        "llama_cpp/__init__.py",
        "llama_cpp/lib/libllama.so",
        "llama_cpp_python-0.3.36.dist-info/INSTALLER",
    )

    assert build.installed


def test_an_engine_without_its_library_is_not_installed(settings, packages):
    install(packages, "llama_cpp/__init__.py", "llama_cpp_python-0.3.36.dist-info/INSTALLER")

    assert not EngineBuild(settings).installed


def test_an_engine_whose_installation_was_interrupted_is_not_installed(settings, packages):
    install(
        packages,
        "llama_cpp/__init__.py",
        "llama_cpp/lib/libllama.so",
        "llama_cpp_python-0.3.36.dist-info/RECORD",
    )

    assert not EngineBuild(settings).installed


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
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_CUDA=ON")

    assert cmake_args().endswith(" -DGGML_CUDA=ON")
    assert cmake_args().startswith("-DLLAVA_BUILD=OFF ")


def test_a_wheel_for_other_options_is_not_the_same(monkeypatch):
    plain = wheel_key()
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_CUDA=ON")

    assert plain != wheel_key()


def test_a_wheel_of_another_processor_is_not_the_same(monkeypatch):
    here = wheel_key()
    real = Path.read_text

    def read(path, *arguments: str) -> str:
        other = "processor : 0\nflags : fpu sse\n"
        return other if str(path) == "/proc/cpuinfo" else real(path, *arguments)

    monkeypatch.setattr(Path, "read_text", read)

    assert here != wheel_key()


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
