"""A server that is far away: what passes through here comes out a while later, both ways together.

``python -m benchmarks.latency PORT SERVER_PORT SECONDS``
"""

from __future__ import annotations

import asyncio
import sys


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float
) -> None:
    """Each part ``seconds`` after it came, without holding up those behind it."""
    loop = asyncio.get_running_loop()
    parts: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def take() -> None:
        while part := await reader.read(65536):
            parts.put_nowait((loop.time() + seconds, part))
        parts.put_nowait((loop.time() + seconds, b""))

    taking = asyncio.create_task(take())
    try:
        while True:
            due, part = await parts.get()
            await asyncio.sleep(due - loop.time())
            if not part:
                return
            writer.write(part)
            await writer.drain()
    except ConnectionError:
        return
    finally:
        taking.cancel()
        writer.close()


async def serve(port: int, server_port: int, seconds: float) -> None:
    """Until it is ended."""

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", server_port)
        await asyncio.gather(
            _pass_on(reader, back, seconds / 2),
            _pass_on(there, writer, seconds / 2),
        )

    server = await asyncio.start_server(connect, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
