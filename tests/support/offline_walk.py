"""Run by test_whole.py in a network namespace that has nothing but loopback."""

import os
import subprocess
import sys
import time

import httpx

URL = f"http://127.0.0.1:{os.environ['XNAI_PORT']}"
STORY = b"Norwick Lighthouse was built in 1954. Its lamp was replaced in October 1987."


def wait(path: str, key: str, value: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if httpx.get(URL + path, timeout=5).json().get(key) == value:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    sys.exit(f"{path} never had {key}={value}")


server = subprocess.Popen([sys.executable, "-m", "xnai.cli.main", "serve"])
try:
    wait("/health/ready", "model", "ready")
    file_id = httpx.post(f"{URL}/v1/files", files={"file": ("s.txt", STORY)}).json()["id"]
    wait(f"/v1/files/{file_id}", "status", "processed")
    body = {
        "messages": [{"role": "user", "content": "When was the lamp replaced?"}],
        "temperature": 0,
        "retrieval": {"document_ids": [file_id]},
    }
    answer = httpx.post(f"{URL}/v1/chat/completions", json=body, timeout=60).json()
    print(answer["choices"][0]["message"]["content"], answer["citations"])  # noqa: T201
finally:
    server.terminate()
    server.wait(30)
