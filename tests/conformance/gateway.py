"""The whole product in front of one server, whose names it serves as they are; prints its URL.

python -m tests.conformance.gateway [--stateful] (PROGRAM [ARGUMENT …] | URL)
"""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import sys
import tempfile
from pathlib import Path

import uvloop
from tests.npm import packages

from vsm_mcp import config as configuration
from vsm_mcp.app import App
from vsm_mcp.gateway.server import serve
from vsm_mcp.model.launch import Settings

ROOT = Path(__file__).parents[2]
PLACES = 4
START_SECONDS = 60.0
SETTINGS = """
[policy]
new_items = "allow"  # the suite adds a tool and wants to hear of it
[runtime]
instances_per_server = 32  # it leaves a dozen questions unanswered, each of which keeps a process for a minute
[profiles.plain]
mode = "all"
plain_names = true
"""


async def main(server: list[str]) -> None:
    """Serve until told to stop."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    stateful = server[0] == "--stateful"
    if stateful:
        server = server[1:]
    remote = server[0].startswith("http")
    ref = server[0] if remote else f"cmd:{shlex.join(server)}"
    seen = tuple((str(path), False) for path in (ROOT, packages.folder(), Path(sys.prefix)))
    with tempfile.TemporaryDirectory() as home:
        Path(home, "vsm-mcp.toml").write_text(SETTINGS, "utf-8")
        async with App.open(configuration.load(Path(home)), for_operation="serve") as app:
            settings = Settings() if remote else Settings(paths=seen, cwd=str(ROOT), stateful=stateful or None)
            outcome = await app.add(ref, settings, name="fixture", yes=True)
            assert outcome.outcome == "served", outcome
            # The suite gives some calls half a second, and each that is under way needs a process of a server that
            # asks in the middle of calls: on a slow machine, its start alone may take longer than that.
            places = PLACES if stateful else 0
            await asyncio.gather(*(app.runtime.connection("fixture", START_SECONDS, f"#{n}") for n in range(places)))
            async with serve(app.gateway, "127.0.0.1", 0) as address:
                print(json.dumps({"url": f"{address.url}/plain"}), flush=True)  # noqa: T201
                await stopped.wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))
