"""What a server costs while nobody uses it: `python bench/idle.py [--seconds 60] [--pages 20]`.

Pages are open and idle; `--no-model` leaves the model out. The model counts as measured already, as
it is after the first minutes of a server's life; what measures models looks at it all the same.
Prints the share of a core that each process takes, from its own count of processor time, so that a
busy neighbour counts for little: it makes caches cold. The aim is 0.3 % in all, and 0.5 % for the
server with 20 pages.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path

import psutil
from peers import wait_for_quantised_embedder

from rig.page import Page
from rig.whole_server import Server
from xnai.data_folder.ownership import prepare_folder
from xnai.llm.build.record import read_installed
from xnai.llm.calibration.choice import Findings, findings_file, key
from xnai.llm.gguf.catalogue import ModelFiles
from xnai.settings import Settings

SETTLE_SECONDS = 15.0  # first looks at all parts, pages of weights


async def measure(server: Server, seconds: float, pages: int) -> None:
    """Open the pages, wait, and print what it costs."""
    opened = [await Page(server).open() for _ in range(pages)]
    await asyncio.sleep(SETTLE_SECONDS)
    assert server.process is not None
    root = psutil.Process(server.process.pid)
    family = [root, *root.children(recursive=True)]
    before = {one.pid: sum(one.cpu_times()[:2]) for one in family}
    await asyncio.sleep(seconds)
    total = 0.0
    for one in (member for member in family if member.is_running()):
        share = (sum(one.cpu_times()[:2]) - before[one.pid]) / seconds
        total += share
        words = "server" if one.pid == root.pid else "worker"
        print(f"{words:8} {100 * share:6.2f} % of a core")
    print(f"{'all':8} {100 * total:6.2f} % of a core, {pages} pages")
    for page in opened:
        await page.close()


def note_as_measured(data: Path) -> None:
    """Have nothing left to measure of the model, as if it had been run as it came for long."""
    prepare_folder(data)
    files, engine = ModelFiles(Settings(_env_file=None, data_dir=data)), read_installed()
    assert engine is not None
    findings_file(files).write(key(files.configured().path, engine), Findings(done=True))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pages", type=int, default=0)
    parser.add_argument("--no-model", action="store_true")
    chosen = parser.parse_args()
    without = {"XNAI_LLM_URL": "http://127.0.0.1:9"} if chosen.no_model else {}
    environment = {"XNAI_CALIBRATION": "true", **without}  # as a server of one's own has it
    with tempfile.TemporaryDirectory() as folder:
        if not chosen.no_model:
            note_as_measured(Path(folder) / "data")
        server = Server(Path(folder), environment)
        server.start()
        try:
            server.wait(**({"status": "ready"} if chosen.no_model else {"model": "ready"}))
            wait_for_quantised_embedder(Path(folder) / "data")
            asyncio.run(measure(server, chosen.seconds, chosen.pages))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
