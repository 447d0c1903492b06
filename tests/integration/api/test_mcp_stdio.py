"""`xnai mcp`: the same tools over the pipes of a command, from the running server."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from api_server import program, serving
from mcp import ClientSession, McpError, StdioServerParameters
from mcp.client.stdio import stdio_client
from paths import ROOT

from rig.processes import free_port
from rig.waiting import PATIENCE, eventually
from xnai.api.mcp import sessions

KEY = "key-of-ann-0123456789"


@asynccontextmanager
async def command(port: int) -> AsyncIterator[ClientSession]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("XNAI_")}
    environment = {**kept, "PYTHONPATH": str(ROOT), "XNAI_PORT": str(port), "XNAI_API_KEYS": KEY}
    run = StdioServerParameters(
        command=sys.executable, args=["-m", "xnai.cli.main", "mcp"], env=environment
    )
    async with stdio_client(run) as (read, write), ClientSession(read, write) as session:
        yield session


def sessions_open() -> bool:
    names = [task.get_name() for task in asyncio.all_tasks()]
    return any(name.endswith("run_server") for name in names)


async def test_an_agent_that_starts_a_command_has_the_servers_tools(tmp_path):
    runtime = program(tmp_path, api_keys=KEY)
    async with serving(runtime) as url:
        async with command(int(url.rsplit(":", 1)[1])) as session:
            hello = await session.initialize()
            assert hello.serverInfo.name == "xnai"
            assert len((await session.list_tools()).tools) == 5
            answer = await session.call_tool("ask", {"question": "How tall?"})
            assert answer.structuredContent["answer"] == "Hello there"
            assert runtime.pipeline.asked[0].user == runtime.people.of_key(KEY).person_id
            await runtime.pipeline.closed_at.get()
            runtime.pipeline.started.clear()
            runtime.pipeline.script = [60.0]
            asking = asyncio.create_task(session.call_tool("ask", {"question": "How tall?"}))
            async with asyncio.timeout(PATIENCE):
                await runtime.pipeline.started.wait()
            asking.cancel()
        async with asyncio.timeout(PATIENCE):  # the command has ended, and its answer with it
            await runtime.pipeline.closed_at.get()
        await eventually(lambda: not sessions_open(), "the session has ended")
        await runtime.streams.close()


async def test_a_session_that_is_gone_is_opened_again(tmp_path, monkeypatch):
    monkeypatch.setattr(sessions, "IDLE_SECONDS", 0.5)
    runtime = program(tmp_path, api_keys=KEY)
    async with serving(runtime) as url, command(int(url.rsplit(":", 1)[1])) as session:
        await session.initialize()
        for _ in range(2):
            await eventually(lambda: not sessions_open(), "the session has ended")
            first, second = await asyncio.gather(
                session.list_tools(), session.call_tool("ask", {"question": "And now?"})
            )
            assert len(first.tools) == 5
            assert not second.isError
        await runtime.streams.close()


async def test_a_server_that_is_not_there_is_said():
    async with command(free_port()) as session:
        with pytest.raises(McpError, match="No server answers"):
            await session.initialize()
