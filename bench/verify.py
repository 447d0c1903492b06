"""How often `verify` is right: claims over files, each supported, contradicted, or neither.

    python bench/verify.py http://127.0.0.1:8000 FOLDER [CLAIMS.jsonl]

FOLDER has the files that the claims name (``{"file", "verdict", "claim"}`` a line; by default
``bench/claims.jsonl``). Files that the server has under their name are not sent again. Each claim
is checked against its own file, one after the other, through ``/mcp``. Printed is a line for each
claim that is judged otherwise than written, and at last the shares as JSON.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

_CLAIMS = Path(__file__).with_name("claims.jsonl")
_SECONDS = 1800.0


async def _ids(http: httpx.AsyncClient, names: set[str], folder: Path) -> dict[str, str]:
    listed = (await http.get("/v1/files")).raise_for_status().json()["data"]
    ids = {file["filename"]: file["id"] for file in listed if file["status"] == "processed"}
    for name in sorted(names - ids.keys()):
        sent = await http.post("/v1/files", files={"file": (name, (folder / name).read_bytes())})
        ids[name] = sent.raise_for_status().json()["id"]
    for name in names:
        while (await http.get(f"/v1/files/{ids[name]}")).json()["status"] != "processed":
            await asyncio.sleep(0.5)
    return ids


async def _judged(session: ClientSession, claim: str, document_id: str) -> dict[str, Any]:
    given = {"claim": claim, "document_ids": [document_id]}
    told = await session.call_tool("verify", given)
    assert told.structuredContent is not None
    return told.structuredContent


async def main(url: str, folder: Path, claims: list[dict[str, str]]) -> None:
    """Check all claims and print how many were judged as written."""
    seen: Counter[tuple[str, str]] = Counter()
    seconds = []
    async with httpx.AsyncClient(base_url=url, timeout=_SECONDS) as http:
        ids = await _ids(http, {one["file"] for one in claims}, folder)
        async with (
            streamable_http_client(f"{url}/mcp", http_client=http) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            for one in claims:
                begun = time.monotonic()
                told = await _judged(session, one["claim"], ids[one["file"]])
                seconds.append(time.monotonic() - begun)
                verdict = told.get("verdict") or str(told)
                seen[one["verdict"], verdict] += 1
                if verdict != one["verdict"]:
                    quote = (told.get("sentence") or {}).get("quote", "")
                    print(f"{one['verdict']} -> {verdict} ({told.get('confidence')}): "
                          f"{one['claim']} | {quote}", flush=True)  # fmt: skip
    right = sum(count for (wanted, got), count in seen.items() if wanted == got)
    false = sum(n for (wanted, got), n in seen.items() if got == "supports" and wanted != got)
    others = sum(count for (wanted, _), count in seen.items() if wanted != "supports")
    figures = {
        "claims": len(claims),
        "right": round(right / len(claims), 3),
        "false_supports": round(false / max(1, others), 3),
        "table": {f"{wanted} -> {got}": count for (wanted, got), count in sorted(seen.items())},
        "median_seconds": round(sorted(seconds)[len(seconds) // 2], 2),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    text = Path([*sys.argv, str(_CLAIMS)][3]).read_text()
    given = [json.loads(line) for line in text.splitlines()]
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), given))
