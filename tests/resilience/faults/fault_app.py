"""The whole program as `chainlit run app.py` serves it, with doors in its borders.

Beside it stands ``/faults``: PUT opens a door, GET tells what has passed.
"""

import asyncio
import functools
import importlib
import os
import sys
from pathlib import Path

from borders import BORDERS, FUNCTIONS
from doors import doors, faulty, faulty_function
from starlette.responses import JSONResponse
from starlette.routing import Route

from xnai.llm.launch import WorkerOptions
from xnai.telemetry import metrics
from xnai.ui import guard

WORKER = (sys.executable, str(Path(__file__).parents[2] / "integration" / "frame_worker.py"))


def open_doors():
    for part, (module, name, _) in BORDERS.items():
        home = importlib.import_module(module)
        made = faulty(part, getattr(home, name))
        if part == "Model":
            made.__init__ = functools.partialmethod(made.__init__, options=OPTIONS)
        setattr(home, name, made)
    for part, (module, path) in FUNCTIONS.items():
        home = importlib.import_module(module)
        *outer, name = path.split(".")
        for attribute in outer:
            home = getattr(home, attribute)
        setattr(home, name, faulty_function(part, getattr(home, name)))


OPTIONS = WorkerOptions(float(os.environ.get("HANG_SECONDS", "2")), 2.0, WORKER)
open_doors()
guard.install = functools.partial(guard.install, max_sessions=8)

import app as program  # noqa: E402 - after its parts have doors


async def faults(request):
    if request.method == "PUT":
        told = await request.json()
        doors.open(told["point"], told["fault"], told["later"])
        doors.calls.clear()
    runtime = program.chat.runtime
    errors = {
        sample.labels["code"]: sample.value
        for family in metrics.registry.collect()
        if family.name == "xnai_errors"
        for sample in family.samples
    }
    model = runtime.model.status
    names = sorted(task.get_name() for task in asyncio.all_tasks())
    return JSONResponse(
        {
            "hits": doors.hits,
            "calls": doors.calls,
            "errors": errors,
            "streams": runtime.streams.active,
            "running": model.running + model.waiting,
            "tasks": [name for name in names if name.startswith(("answer", "ingest"))],
        }
    )


program.app.router.routes.insert(0, Route("/faults", faults, methods=["GET", "PUT"]))
