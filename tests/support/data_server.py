"""Servers and commands on data folders that something is wrong with."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
from paths import ROOT

from rig.whole_server import Server

WITHOUT_MODEL = {"XNAI_LLM_URL": "http://127.0.0.1:9"}
PATIENCE = 120.0  # seconds, on a loaded machine
TEXTS = {
    "tea.txt": b"Tea is grown in Assam, on the slopes above the river.",
    "lamp.txt": b"The lamp of Norwick Lighthouse was replaced in 1987.",
    "rope.txt": b"Ropes are made of hemp, which is grown in the valley.",
}


def environment(data: Path) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("XNAI_")}
    return {**inherited, "PYTHONPATH": str(ROOT), "XNAI_DATA_DIR": str(data), "XNAI_PORT": "9"}


def xnai(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "xnai.cli.main", *arguments],
        env=environment(data),
        cwd=data.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def doctor(data: Path) -> dict[str, list[dict[str, str]]]:
    done = xnai(data, "doctor", "--json")
    areas: dict[str, list[dict[str, str]]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        areas.setdefault(finding["area"], []).append(finding)
    return areas


def follow(data: Path, finding: dict[str, str]) -> None:
    """Type what a finding says is to be typed next."""
    command = ["bash", "-ec", finding["command"]]
    subprocess.run(command, cwd=data.parent, check=True, timeout=30, capture_output=True)


def listed(server: Server) -> dict[str, dict[str, object]]:
    files = httpx.get(f"{server.url}/v1/files", timeout=30).json()["data"]
    return {str(file["filename"]): file for file in files}


def states(server: Server) -> set[object]:
    return {file["status"] for file in listed(server).values()}


def begin(server: Server) -> None:
    server.start()
    server.wait(status="ready")


def all_read(server: Server) -> bool:
    return len(listed(server)) == len(TEXTS) and states(server) == {"processed"}


def originals(data: Path) -> set[bytes]:
    folder = data / "documents"
    return {path.read_bytes() for path in folder.glob("??/*") if len(path.name) == 32}
