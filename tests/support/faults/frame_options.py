"""The worker without a model, with which the cases need no time to load one."""

import sys

from paths import SUPPORT

from xnai.llm.engine.launch import WorkerOptions

WORKER = (sys.executable, str(SUPPORT / "frame_worker.py"))
OPTIONS = WorkerOptions(2.0, 2.0, WORKER)
