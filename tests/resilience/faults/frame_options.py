"""The worker without a model, with which the cases need no time to load one."""

import sys
from pathlib import Path

from xnai.llm.launch import WorkerOptions

WORKER = (sys.executable, str(Path(__file__).parents[2] / "integration" / "frame_worker.py"))
OPTIONS = WorkerOptions(2.0, 2.0, WORKER)
