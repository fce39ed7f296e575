"""VSM-MCP as a target of the load generator: ``bench.py --plugin benchmarks/load_target.py --targets vsm-mcp,…``.

The real product: every server is added with ``add`` (trial included) into a home of its own and runs in the sandbox;
the gateway is ``vsm-mcp serve``, with every tool listed. ``vsm-mcp`` starts all servers with the gateway,
``vsm-mcp-lazy`` each with its first call. What the generator needs is an interpreter with its own dependencies; ours is
the one of this checkout (``make setup``).
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

from targets import Launch, Target

BIN = Path(__file__).resolve().parents[1] / ".venv" / "bin"
PREPARE = """
import asyncio, json, sys
from vsm_mcp.app import App
from vsm_mcp.model.launch import Settings

async def main():
    servers, granted = json.loads(sys.argv[1]), sys.argv[2]
    async with App.open() as app:
        for name, ref in servers.items():
            settings = Settings(paths=((granted, True),)) if ref.startswith("cmd:") else Settings()
            outcome = await app.add(ref, settings, name=name, yes=True)
            if outcome.outcome != "served":
                raise SystemExit(f"{name}: {outcome.reason}")

asyncio.run(main())
"""


class VsmMcp(Target):
    """The gateway, with sandbox, supervision, policy and pins as they are by default."""

    name, version, downstream_stdio = "vsm-mcp", "0.1", True
    note = "vsm-mcp serve; servers added with `add`, sandboxed"
    environ: ClassVar[dict[str, str]] = {"VSM_MCP_GATEWAY_MODE": "all"}  # as peers do: every tool is listed

    def launch(self, ctx: Any) -> Launch:
        """Return how the gateway is started over HTTP."""
        return Launch([str(BIN / "vsm-mcp"), "serve", "--port", str(ctx.port)], env=self._prepared(ctx))

    def stdio_cmd(self, ctx: Any) -> tuple[list[str], dict[str, str]]:
        """Return how the gateway is started over stdio, with its environment."""
        return [str(BIN / "vsm-mcp"), "serve", "--stdio"], self._prepared(ctx, "stdio")

    def _prepared(self, ctx: Any, suffix: str = "http") -> dict[str, str]:
        """Admit the servers of a layout into a home of their own; return the environment that names it."""
        env = {**self.environ, "VSM_MCP_HOME": str(Path(ctx.dir, f"vsm-{suffix}-{ctx.port}").absolute())}
        refs = {
            name: server.get("url") or "cmd:" + shlex.join([server["command"], *server["args"]])
            for name, server in ctx.mcp_servers().items()
        }
        spawn_log = Path(ctx.spawnlog).absolute()
        spawn_log.touch()
        done = subprocess.run(
            [str(BIN / "python"), "-c", PREPARE, json.dumps(refs), str(spawn_log)],
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"vsm-mcp could not be prepared: {done.stderr[-1000:]}")
        spawn_log.write_bytes(b"")  # what the trials started is no start of the gateway's
        return env


class VsmMcpLazy(VsmMcp):
    """The same, but a server is started by its first call."""

    name, note = "vsm-mcp-lazy", "the same; each server is started by its first call"
    environ: ClassVar[dict[str, str]] = {**VsmMcp.environ, "VSM_MCP_RUNTIME_LAZY": "true"}


TARGETS = [VsmMcp(), VsmMcpLazy()]
