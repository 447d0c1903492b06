"""The arrows of the house, read from the imports of every module."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*(ROOT / "xnai").rglob("*.py"), ROOT / "app.py"])

# A room may import the rooms of lower floors and those named in WITHIN, nothing else of xnai.
FLOORS = [
    {"errors", "errors_docs", "types", "settings", "settings_docs", "patterns", "port", "words"},
    {"telemetry"},
    {"reporting", "watchdog", "audit", "audit_file"},
    {"health"},
    {"resilience", "retrieval"},
    {"documents", "llm"},
    {"guards"},
    {
        "account",
        "citations",
        "confidence",
        "ending",
        "events",
        "follow_up",
        "grounding",
        "part_notes",
        "pipeline",
        "prompt",
        "query_likelihood",
        "spans",
        "whole_document",
        "whole_question",
        "without_answer",
    },
    {"streams"},
    {"runtime"},
    {"api", "ui", "evaluation"},
    {"cli", "cli_errors", "breaker_cli", "client", "doctor", "models", "backup"},
    {"app"},
]
WITHIN = {
    "settings": {"errors"},
    "settings_docs": {"settings"},
    "errors_docs": {"errors"},
    "port": {"errors"},
    "pipeline": {
        "events",
        "citations",
        "ending",
        "follow_up",
        "grounding",
        "prompt",
        "query_likelihood",
        "whole_document",
        "whole_question",
        "without_answer",
    },
    "query_likelihood": {"events", "follow_up", "grounding", "prompt"},
    "ending": {"events", "citations", "grounding", "without_answer"},
    "without_answer": {"events", "citations", "grounding"},
    "follow_up": {"events", "citations"},
    "whole_document": {"events", "grounding", "part_notes", "whole_question"},
    "part_notes": {"citations", "grounding", "whole_question"},
    "grounding": {"citations", "confidence", "events", "spans"},
    "confidence": {"citations"},
    "spans": {"citations"},
    "prompt": {"events", "citations"},
    "citations": {"events"},
    "api": {"runtime"},
    "cli": {"client", "cli_errors", "breaker_cli", "doctor", "models", "backup"},
    "models": {"client"},
    "breaker_cli": {"client"},
    "watchdog": {"telemetry"},
    "audit": {"audit_file"},
    "account": {"events"},
}
CONFINED = {
    "chainlit": {"ui", "app", "cli"},
    "socketio": {"ui", "app"},
    "starlette": {"api", "ui", "app"},
    "fastapi": {"api", "ui", "app"},
    "llama_cpp": {"llm"},
    "llguidance": {"llm"},
    "huggingface_hub": {"models"},
    "redis": {"resilience"},
    "tenacity": {"resilience"},
    "apsw": {"retrieval", "documents", "ui"},
    "onnxruntime": {"retrieval"},
    "pypdfium2": {"documents"},
    "markitdown": {"documents"},
    "prometheus_client": {"telemetry"},
    "opentelemetry": {"telemetry"},
}


def module(path):
    return path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")


def room(name):
    """The room a module belongs to: ``xnai.llm.engine`` is in ``llm``."""
    parts = name.split(".")
    return parts[1] if parts[0] == "xnai" and len(parts) > 1 else parts[0]


def imports(path):
    """Every module a file imports, inside functions and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            assert node.module is not None
            if node.module == "xnai":
                yield from (f"xnai.{alias.name}" for alias in node.names)
            else:
                yield node.module


def floor(name):
    return next((level for level, rooms in enumerate(FLOORS) if name in rooms), None)


def is_room(name):
    parts = name.split(".")
    return parts[0] == "xnai" and len(parts) > 1 and not parts[1].startswith("__")


@pytest.mark.parametrize("path", SOURCES, ids=module)
def test_a_module_imports_only_from_floors_below_its_own(path):
    here = room(module(path))
    if here == "__init__":
        return
    assert floor(here) is not None, f"{here} stands on no floor: name it in FLOORS"
    upward = [
        name
        for name in imports(path)
        if is_room(name)
        and room(name) != here
        and room(name) not in WITHIN.get(here, set())
        and (floor(room(name)) is None or floor(room(name)) >= floor(here))
    ]
    assert upward == []


@pytest.mark.parametrize("path", SOURCES, ids=module)
def test_a_library_is_imported_only_in_the_rooms_it_is_for(path):
    here = room(module(path))
    strays = [
        name for name in imports(path) if here not in CONFINED.get(name.split(".")[0], {here})
    ]
    assert strays == []


def test_one_module_alone_talks_to_a_hub_and_only_its_command_imports_it():
    talking = [
        module(path)
        for path in SOURCES
        if any(name.split(".")[0] == "huggingface_hub" for name in imports(path))
    ]
    importing = {
        module(path) for path in SOURCES if "xnai.models.hub" in set(top_level_imports(path))
    }
    assert ["xnai.models.hub"] == talking
    assert importing <= {"xnai.models.fetch", "xnai.models.wanted"}
    assert not reached("xnai.cli") & {"xnai.models.hub", "xnai.models.fetch"}


def reached(start):
    """Every module of the project that importing one imports."""
    seen, waiting = set(), [start]
    while waiting:
        name = waiting.pop()
        path = source(name)
        if name not in seen and path is not None:
            seen.add(name)
            waiting += [*top_level_imports(path), name.rpartition(".")[0]]
    return seen


def test_the_server_process_never_reaches_the_engine_by_import():
    seen, waiting = set(), ["app", "xnai.cli"]
    while waiting:
        name = waiting.pop()
        path = source(name)
        if name in seen or path is None:
            continue
        seen.add(name)
        assert "llama_cpp" not in {found.split(".")[0] for found in imports(path)}, name
        waiting += [*top_level_imports(path), name.rpartition(".")[0]]
    assert {"xnai.runtime", "xnai.llm.engine", "xnai.api.chat"} <= seen


def source(name):
    path = ROOT / name.replace(".", "/")
    candidates = (path.with_suffix(".py"), path / "__init__.py") if name else ()
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def top_level_imports(path):
    """What importing a module imports at once, a package's members included."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
