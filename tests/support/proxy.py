"""A TCP proxy that stands between a client and a server and spoils what passes."""

import asyncio
from contextlib import suppress


class Proxy:
    """Forwards to a unix socket.

    ``to_server`` and ``to_client`` say whether bytes pass; ``delay`` is the time in seconds that
    each piece takes on its way back; ``lose`` counts replies that vanish together with their
    connection.
    """

    def __init__(self, target):
        self._target = target
        self._tasks = set()
        self.to_server = self.to_client = True
        self.delay = 0.0
        self.lose = 0
        self.port = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        self._tasks.add(task := asyncio.current_task())
        try:
            with suppress(OSError):
                back_reader, back_writer = await asyncio.open_unix_connection(self._target)
                await asyncio.gather(
                    self._pump(reader, back_writer, "to_server"),
                    self._pump(back_reader, writer, "to_client"),
                )
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _pump(self, reader, writer, way):
        with suppress(OSError):
            while data := await reader.read(65536):
                if way == "to_client" and self.lose:
                    self.lose -= 1
                    break
                if way == "to_client" and self.delay:
                    await asyncio.sleep(self.delay)
                if getattr(self, way):
                    writer.write(data)
                    await writer.drain()
        writer.close()
