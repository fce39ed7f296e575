"""A runtime on a made-up home: real processes of the scripted server, in the real sandbox."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from vsm_mcp.config import Config
from vsm_mcp.events import Event
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.runtime.supervisor import Runtime
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.testing import faulty
from vsm_mcp.wire.connection import Connection

PROGRAM = Path(faulty.__file__)
SECRET = "hush-hush-7"


class World:
    """A runtime on a made-up home, and what it told."""

    def __init__(self, sandbox: Sandbox, config: Config) -> None:
        self.events: list[Event] = []
        self.offers: list[tuple[str, Offer]] = []
        self.config = config
        self.runtime = Runtime(
            config, sandbox=sandbox, emit=self.events.append, secrets_of=lambda _name: {"TOKEN": SECRET}
        )
        self.compared: list[tuple[str, Offer]] = []
        self.runtime.on_compared = lambda name, offer: self.compared.append((name, offer))
        self.runtime.on_offer = lambda name, offer: self.offers.append((name, offer))

    def add(
        self,
        name: str,
        *args: str,
        settings: Settings | None = None,
        ref: str = "pypi:faulty",
        program: Path = PROGRAM,
    ) -> None:
        python = f"{sys.base_prefix}/bin/python3"
        parsed = parse_ref(ref)
        entry = Entry(
            argv=(python, "-I", "-S", str(program), *args), runtime="python", roots=(str(program), sys.base_prefix)
        )
        if ref.startswith("http"):
            entry = Entry(argv=(), runtime="remote")
        installation = Installation(server=name, ref=parsed, version="1", path=str(program.parent), entry=entry)
        self.runtime.add(
            Server(name=name, ref=parsed, version="1", installation=installation, settings=settings or Settings())
        )

    async def ask(self, name: str, session: str, tool: str, **arguments: object) -> str:
        return await call(await self.runtime.connection(name, 15, session), tool, 10, **arguments)

    async def pid(self, name: str, session: str = "") -> int:
        """Return the process that serves a session, started if need be."""
        await self.runtime.connection(name, 15, session)
        pid = self.runtime._pools[name].unit(session).status().pid
        assert pid is not None
        return pid

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def log(self, name: str) -> str:
        return self.runtime.log_path(name).read_text()


async def call(connection: Connection, tool: str, within: float = 10, **arguments: object) -> str:
    """Return the text that a tool answers with, within so many seconds."""
    raw = await connection.request("tools/call", {"name": tool, "arguments": arguments}, timeout=within)
    text: str = msgspec.json.decode(raw)["content"][0]["text"]
    return text


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 -- what it waits for is outside of this process
            await asyncio.sleep(0.01)


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()
