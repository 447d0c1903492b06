"""A whole server for tests and benches."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx

from rig.processes import LocalServer
from rig.waiting import wait_until

ROOT = Path(__file__).resolve().parents[1]
_START_SECONDS = 120


@dataclass
class Server(LocalServer):
    """`xnai serve` as a user starts it, on a free port with a data folder of its own."""

    def start(
        self,
        command: tuple[str, ...] = ("-m", "xnai.cli.main", "serve"),
        python: str = sys.executable,
    ) -> None:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("XNAI_")}
        environment = {
            **inherited,
            "PYTHONPATH": str(ROOT),
            "XNAI_PORT": str(self.port),
            "XNAI_DATA_DIR": str(self.folder / "data"),
            "XNAI_CALIBRATION": "false",
            **self.environment,
        }
        self.launch([python, *command], environment)

    def health(self) -> dict[str, object]:
        answer: dict[str, object] = httpx.get(f"{self.url}/health/ready", timeout=5).json()
        return answer

    def wait(self, **wanted: object) -> dict[str, object]:
        """Wait until /health/ready says so; fails with the log of the server."""
        health: dict[str, object] = {}

        def says_so() -> bool:
            nonlocal health
            self.check_alive()
            try:
                health = self.health()
            except httpx.HTTPError:
                return False
            return all(health.get(key) == value for key, value in wanted.items())

        wait_until(says_so, lambda: f"{wanted}, {health} seen\n{self.log[-5000:]}", _START_SECONDS)
        return health

    def upload(self, name: str, content: bytes) -> str:
        """Add a document through the API and wait until it can be searched."""
        files = {"file": (name, content)}
        answer = httpx.post(f"{self.url}/v1/files", files=files, timeout=30)
        assert answer.status_code == httpx.codes.OK, answer.text
        file_id = str(answer.json()["id"])

        def processed() -> bool:
            file = httpx.get(f"{self.url}/v1/files/{file_id}", timeout=5).json()
            assert file["status"] != "error", file
            return bool(file["status"] == "processed")

        wait_until(processed, f"{name} is processed", _START_SECONDS)
        return file_id
