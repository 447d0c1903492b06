"""The whole program as `chainlit run app.py` serves it, with doors in its borders.

Beside it stands ``/faults``: PUT opens a door, GET tells what has passed.
"""

import asyncio
import functools

from borders import open_doors
from doors import doors
from frame_options import OPTIONS
from starlette.responses import JSONResponse
from starlette.routing import Route

from xnai.answering import quoting
from xnai.answering.reading.prereading import Prereader
from xnai.observability import metrics
from xnai.ui.chainlit import socket_guard

quoting.LEAST_PARAMETERS = 0  # the bundled model reads: a fault of reading is to be met, too
Prereader.start = lambda _: None  # what is read unasked would meet the faults of questions
open_doors(setattr, OPTIONS)
socket_guard.install = functools.partial(socket_guard.install, max_sessions=16)

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
