"""Python's `websockets`: `python python_websockets.py URL [deflate]`.

What happens is told on the standard output, one JSON object in each line; each line of the
standard input is sent as a text, `close` closes.
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


def tell(**event):
    print(json.dumps(event), flush=True)


async def obey(socket):
    # A line may be as long as a command may be.
    reader = asyncio.StreamReader(limit=1 << 20)
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await reader.readline():
        line = line.decode().rstrip("\n")
        if line == "close":
            await socket.close(1000, "bye")
        else:
            await socket.send(line)


async def main(url, mode=None):
    compression = "deflate" if mode == "deflate" else None
    options = {"compression": compression, "ping_interval": None, "subprotocols": ["throng.v1.json"]}
    async with connect(url, **options) as socket:
        extensions = ", ".join(extension.name for extension in socket.protocol.extensions)
        tell(event="open", protocol=socket.subprotocol, extensions=extensions)
        obeying = asyncio.create_task(obey(socket))
        try:
            while True:
                message = await socket.recv()
                if isinstance(message, str):
                    tell(event="text", text=message)
                else:
                    tell(event="binary")
        except ConnectionClosed:
            tell(event="close", code=socket.close_code, reason=socket.close_reason)
        obeying.cancel()


asyncio.run(main(*sys.argv[1:]))
