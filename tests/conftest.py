"""Which tests run here and in which order, and what several groups need: a server, a model."""

import os
from collections.abc import Iterator
from pathlib import Path

import capable_model as capable
import hypothesis
import pytest
from machine import NEEDS, is_here

from rig.whole_server import Server

# Measuring in the background would take the cores from the tests; those of it switch it on.
os.environ["XNAI_CALIBRATION"] = "false"
# What `make run` may have fetched into this tree is another model than the tests know.
os.environ["XNAI_EMBEDDER"] = "bundled"

PROCESSES_SECONDS = 300  # the limit of a test that waits for other processes, beside others

# How many examples a property is tried with: few on every change, many at night.
# How long an example takes says more of what runs beside it.
_UNTIMED = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("full", max_examples=60, **_UNTIMED)
hypothesis.settings.register_profile("nightly", max_examples=1000, **_UNTIMED)
hypothesis.settings.load_profile("full")  # `--hypothesis-profile` chooses another


def pytest_report_header() -> list[str]:
    """Name what is not here, and so which tests are left out."""
    missing = [name for name in NEEDS if not is_here(name)]
    return [f"left out: tests that need {name} ({NEEDS[name].advice})" for name in missing] or [
        f"nothing is left out: {', '.join(NEEDS)} are here"
    ]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what cannot run here; the longest modules come first.

    A worker process of pytest-xdist takes one module after the other (``--dist loadfile``), so
    that its servers are started once; short ones at the end keep all workers busy up to it.
    """
    for item in items:
        if not _is_unit(item) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(PROCESSES_SECONDS))
    out = [item for item in items if not all(map(is_here, _needs(item)))]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]
    items.sort(key=_place)


def _needs(item: pytest.Item) -> list[str]:
    return [str(need) for marker in item.iter_markers("needs") for need in marker.args]


def _is_unit(item: pytest.Item) -> bool:
    return item.path.is_relative_to(Path(__file__).parent / "unit")


def _place(item: pytest.Item) -> tuple[bool, bool]:
    """Return a sort key: with the engine, then with other processes, then alone."""
    return _is_unit(item), item.get_closest_marker("engine") is None


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One running server with the bundled model, shared by the tests of a process."""
    running = Server(tmp_path_factory.mktemp("server"))
    running.start()
    running.wait(model="ready")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def capable_model() -> Path:
    """The file of the smallest model that answers over documents, for tests with a real answer."""
    path = capable.kept()
    assert path is not None, "a test that asks for it says so: pytest.mark.needs('capable_model')"
    return path
