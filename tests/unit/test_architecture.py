"""The walls of the house: what each room may import, and the limits that hold everywhere."""

import ast
import importlib.util
import re

import pytest
from house import FLOORS, LIMITS, House, floor_of
from paths import ROOT
from source_imports import imports

HOUSE = House(ROOT)
CONFINED = {
    "chainlit": {"ui", "app", "cli"},
    "socketio": {"ui", "app"},
    "mcp": {"api", "cli"},
    "sse_starlette": {"api"},
    "starlette": {"api", "ui", "app"},
    "fastapi": {"api", "ui", "app"},
    "llama_cpp": {"llm"},
    "llguidance": {"llm"},
    "huggingface_hub": {"models"},
    "redis": {"resilience"},
    "tenacity": {"resilience"},
    "apsw": {"accounts", "retrieval", "sqlite", "ui"},
    "onnxruntime": {"retrieval"},
    "pypdfium2": {"documents"},
    "markitdown": {"documents"},
    "prometheus_client": {"observability"},
    "opentelemetry": {"observability"},
}


def each(modules):
    return pytest.mark.parametrize("module", modules, ids=lambda module: module.name)


def libraries(module):
    return {name.split(".")[0] for name in module.imports()}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_of_the_house_is_kept(limit):
    assert [] == LIMITS[limit](HOUSE)


def test_there_are_few_enough_rooms_to_keep_in_mind():
    assert [] == HOUSE.too_many_rooms()


def test_every_room_stands_on_one_floor_alone():
    standing = sorted(room for rooms in FLOORS for room in rooms)
    assert standing == sorted({*HOUSE.rooms, "app"})
    assert all(floor_of(room) is not None for room in HOUSE.rooms)


def test_imports_are_written_in_full():
    relative = [
        module.name
        for module in HOUSE.modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert [] == relative


@each(HOUSE.modules)
def test_a_library_is_imported_only_in_the_rooms_it_is_for(module):
    strays = [
        name for name in libraries(module) if module.room not in CONFINED.get(name, {module.room})
    ]
    assert strays == []


def test_one_module_alone_starts_processes():
    """Reaper, probe and pip's caller do so too, but inside of a child that this one has started."""
    calls = re.compile(r"subprocess_(exec|shell)\(|os\.(fork|spawn\w*)\(")
    starting = {
        one.name
        for one in HOUSE.modules
        if {"subprocess", "multiprocessing"} & libraries(one) or calls.search(one.path.read_text())
    }
    assert {
        "xnai.models.carriers",
        "xnai.processes.child",
        "xnai.processes.sandbox.probe",
        "xnai.llm.build.reaper",
    } == starting


SQL = re.compile(
    r"\b(SELECT\s.*\sFROM\s+(?!sqlite_schema)\w|INSERT\s+(OR\s+\w+\s+)?INTO\s|UPDATE\s+\w+\s+SET\s"
    r"|DELETE\s+FROM\s|(CREATE|ALTER|DROP)\s+(VIRTUAL\s+)?(TABLE|INDEX)\s)",
    re.DOTALL,
)


@each([one for one in HOUSE.modules if one.path.parent.name != "sqlite"])
def test_sql_stands_in_the_stores_alone(module):
    """Which are the folders called ``sqlite``: another database is a folder beside them."""
    texts = [
        node.value
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert [text for text in texts if SQL.search(text)] == []
    assert "apsw" not in libraries(module)


@each([one for one in HOUSE.modules if one.path.stem == "protocol"])
def test_a_door_names_no_store(module):
    assert [name for name in module.imports() if "sqlite" in name.split(".")] == []


def test_one_module_alone_talks_to_a_hub_and_only_its_command_imports_it():
    talking = [one.name for one in HOUSE.modules if "huggingface_hub" in libraries(one)]
    importing = {one.name for one in HOUSE.modules if "xnai.models.hub" in {*at_once(one)}}
    assert ["xnai.models.hub"] == talking
    assert importing <= {"xnai.models.fetch", "xnai.models.wanted"}
    assert not reached("xnai.cli.main") & {"xnai.models.hub", "xnai.models.fetch"}


def test_the_server_process_never_reaches_the_engine_by_import():
    names = reached("app", "xnai.cli.main")
    assert {"xnai.runtime", "xnai.llm.engine.local_engine", "xnai.api.chat"} <= names
    assert [] == [
        one.name for one in HOUSE.modules if one.name in names and "llama_cpp" in libraries(one)
    ]


def reached(*starts: str) -> set[str]:
    """Every module of the project that importing some of them imports."""
    modules = {module.name: module for module in HOUSE.modules}
    seen, waiting = set(), [*starts]
    while waiting:
        name = waiting.pop()
        if name in modules and name not in seen:
            seen.add(name)
            waiting += [*at_once(modules[name]), name.rpartition(".")[0]]
    return seen


def at_once(module):
    """What importing a module imports at once, a package's members included."""
    for node in module.tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


BENCHES = sorted([*(ROOT / "bench").rglob("*.py"), *(ROOT / "rig").rglob("*.py")])


@pytest.mark.parametrize("path", BENCHES, ids=lambda path: path.name)
def test_benches_take_nothing_from_the_tests(path):
    """What both need is in rig."""
    of_tests = {other.stem for other in (ROOT / "tests" / "support").rglob("*.py")}
    assert of_tests.isdisjoint(imports(path))
    assert '"tests"' not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", BENCHES, ids=lambda path: path.name)
def test_what_a_bench_takes_from_the_program_is_there(path):
    taken = [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").partition(".")[0] in {"xnai", "rig"}
        for alias in node.names
    ]
    missing = [
        f"{module}.{name}"
        for module, name in taken
        if not hasattr(importlib.import_module(module), name)
        and importlib.util.find_spec(f"{module}.{name}") is None
    ]
    assert missing == []
