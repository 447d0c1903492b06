"""The calibrator while there is nothing left to measure."""

import asyncio
import os

import pytest
from gguf_files import gguf

from rig.waiting import eventually
from xnai.llm.build.record import Installed
from xnai.llm.calibration import calibrator
from xnai.llm.calibration.calibrator import Calibrator
from xnai.llm.calibration.choice import Findings, findings_file, key
from xnai.llm.calibration.subject import Loaded
from xnai.llm.engine.launch import WorkerOptions
from xnai.llm.gguf.catalogue import ModelFile, ModelFiles
from xnai.settings import Settings

ENGINE = Installed("native", "key", "machine", "this processor")


class CountingFiles(ModelFiles):
    """Counts the looks into a model's header, which take a tenth of a second each."""

    looks = 0

    def inspect(self, file):
        self.looks += 1
        return super().inspect(file)


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model's file, and an engine that seems to be installed."""
    record = tmp_path / "engine.json"
    record.write_text("{}")
    monkeypatch.setattr(calibrator, "read_installed", lambda: ENGINE)
    monkeypatch.setattr(calibrator, "installed_path", lambda: record)
    monkeypatch.setattr(calibrator, "IDLE_SECONDS", 0.01)
    path = tmp_path / "model.gguf"
    path.write_bytes(gguf({"general.architecture": "llama"}))
    return ModelFile("model", path)


async def test_a_model_that_is_known_is_looked_at_again_only_when_it_changes(
    model, tmp_path, monkeypatch
):
    files = CountingFiles(Settings(_env_file=None, data_dir=tmp_path / "data"))
    findings_file(files).write(key(model.path, ENGINE), Findings(done=True))
    stamps, stamp = [], calibrator._stamp
    monkeypatch.setattr(calibrator, "_stamp", lambda file: stamps.append(stamp(file)) or stamps[-1])
    running = Calibrator(
        Settings(_env_file=None), files, WorkerOptions(), lambda: Loaded(model), asyncio.sleep
    )
    running.start()
    try:
        await eventually(lambda: len(stamps) > 10)
        assert 1 == files.looks
        os.utime(model.path, (1, 1))
        await eventually(lambda: files.looks > 1)
        seen = len(stamps)
        await eventually(lambda: len(stamps) > seen + 10)
        assert 2 == files.looks
    finally:
        await running.close()
