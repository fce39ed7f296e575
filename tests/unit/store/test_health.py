"""What was tried outlives the daemon, and goes with its server."""

from __future__ import annotations

from pathlib import Path

from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.store import Store


async def test_it_is_kept_and_forgotten(tmp_path: Path) -> None:
    ref, entry = parse_ref("npm:demo@1.0.0"), Entry(argv=("true",), runtime="native")
    installation = Installation(server="demo", ref=ref, version="1.0.0", path="/x", entry=entry)
    server = Server(name="demo", ref=ref, version="1.0.0", installation=installation, settings=Settings())
    async with Store(tmp_path) as store:
        await store.servers.put(server)
        await store.health.put("demo", b"{}")
        await store.health.put("demo", b'{"well":1}')
        await store.health.put("nobody", b"{}")
        assert await store.health.all() == {"demo": b'{"well":1}'}
    async with Store(tmp_path) as store:
        assert await store.health.all() == {"demo": b'{"well":1}'}
        await store.health.forget("demo")
        await store.health.forget("demo")
        assert await store.health.all() == {}
        await store.health.put("demo", b"{}")
        await store.servers.remove("demo")
        assert await store.health.all() == {}
