"""The gateway in front of one server, whose names it serves as they are; prints its URL.

python -m tests.conformance.gateway (PROGRAM [ARGUMENT …] | URL)
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys

import uvloop
from tests.unit.gateway.fleet import Fleet

from vsm_mcp import config
from vsm_mcp.gateway.server import serve


async def main(server: list[str]) -> None:
    """Serve until told to stop."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with Fleet({"fixture": server[0] if server[0].startswith("http") else ["--", *server]}) as fleet:
        gateway = await fleet.gather(profiles={"plain": config.Profile(mode="all", plain_names=True)})
        async with serve(gateway, "127.0.0.1", 0) as address:
            print(json.dumps({"url": f"{address.url}/plain"}), flush=True)  # noqa: T201
            await stopped.wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))
