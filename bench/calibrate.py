"""Measures a model as the server does while nobody asks: `python bench/calibrate.py`.

XNAI_MODEL names another model than the bundled one.

Prints, for the file as it came and for each copy, tokens a second read and written, the median and
the spread of the rounds, why a copy is out, the same for each way to run the best one, what would
be run, and how long measuring took in all.
"""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from xnai.llm.build.engine_build import EngineBuild
from xnai.llm.build.record import read_installed
from xnai.llm.calibration.choice import Findings, known_findings, median_speed
from xnai.llm.engine.local_engine import LocalEngine
from xnai.llm.gguf.catalogue import ModelFiles
from xnai.settings import Settings

MOST_SECONDS = 1800.0


def main() -> None:
    """Measure, and print the table."""
    with tempfile.TemporaryDirectory(prefix="xnai-bench-") as folder:
        settings = Settings(
            _env_file=None,
            data_dir=Path(folder) / "data",
            model=os.environ.get("XNAI_MODEL", ""),
            calibration=True,
        )
        print_table(*asyncio.run(measured(settings)))


async def measured(settings: Settings) -> tuple[str, Findings]:
    """Have an engine measure its model; returns the model's name and what was found."""
    files = ModelFiles(settings)
    file = files.configured()
    engine = LocalEngine(settings, EngineBuild(settings))
    await engine.start()
    try:
        await engine.ensure_ready(time.monotonic() + MOST_SECONDS)
        async with asyncio.timeout(MOST_SECONDS):
            while not (found := known_findings(files, file.path)).done:
                await asyncio.sleep(0.5)
    finally:
        await engine.close()
    return file.name, found


def print_table(name: str, found: Findings) -> None:
    """Print what was found, and what follows."""
    known = read_installed()
    assert known is not None
    print(f"{name}, engine {known.told}, {os.cpu_count()} cores")
    for copy, rounds in found.speeds.items():
        speed = found.speed(copy)
        assert speed is not None
        spread = max(one.seconds for one in rounds) / min(one.seconds for one in rounds)
        print(
            f"{copy or 'as it came':12} read {speed.read:7.1f}  written {speed.write:6.1f} tokens/s"
            f"  512 + 128 in {speed.seconds:5.2f} s  (rounds {len(rounds)}, spread {spread:.2f})"
        )
    for copy, reason in found.out.items():
        print(f"{copy:12} out: {reason}")
    for way, rounds in found.ways.items():
        mine = median_speed(rounds)
        assert mine is not None
        print(
            f"{way or 'as usual':12} read {mine.read:7.1f}  written {mine.write:6.1f} tokens/s"
            f"  512 + 128 in {mine.seconds:5.2f} s  (rounds {len(rounds)})"
        )
    print(f"run: {found.told}; measuring took {found.seconds:.0f} s")


if __name__ == "__main__":
    main()
