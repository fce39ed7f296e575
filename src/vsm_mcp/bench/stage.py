"""Everything that a measurement needs and nobody keeps: homes, echo servers, gateways.

The gateways are the real program, as a person starts it: ``vsm-mcp add`` with its trial and its sandbox, then
``vsm-mcp serve``. All of it lives in one temporary folder and ends with the stage.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from vsm_mcp.bench.children import Child
from vsm_mcp.bench.programs import ECHO, VSM_MCP, Program, Started, start
from vsm_mcp.errors import TrialFailed
from vsm_mcp.sandbox.tool import run_tool

_ADMIT_SECONDS: Final = 120.0


class Stage:
    """An async context manager. ``environ`` is what the programs get, less the settings of this product."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {name: value for name, value in environ.items() if not name.startswith("VSM_MCP_")}
        self._folder = Path()
        self._children: list[Child] = []
        self.tier = ""

    async def __aenter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="vsm-mcp-bench-"))
        return self

    async def __aexit__(self, *_exc: object) -> None:
        try:
            await asyncio.gather(*(child.end() for child in self._children))
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def admit(self, home: str, name: str, ref: str = f"cmd:{shlex.join(ECHO)}") -> None:
        """Add an echo server to a home, as a person does. Raises :class:`TrialFailed` with the reason given."""
        argv = [*VSM_MCP, "add", ref, "--name", name, "--yes", "--allow-unsandboxed", "--json"]
        done = await run_tool(argv, env=self._env(home), cwd=self._folder, timeout=_ADMIT_SECONDS)
        document = _document(done.stdout)
        if not done.ok:
            reason = document.get("error") or document.get("reason") or {}
            words = reason.get("message") or done.stderr.decode("utf-8", "replace")[-500:].strip()
            raise TrialFailed(f"the echo server was not admitted: {words}", str(reason.get("hint", "")))
        self.tier = self.tier or str(document.get("tier", ""))

    async def start(self, program: Program) -> Started:
        """Start a program; see :func:`vsm_mcp.bench.programs.start`."""
        return await start(program, self._env(program.home), str(self._folder), self._children.append)

    async def end(self, started: Started) -> None:
        """End a program before the stage does."""
        started.conversation.line.close()
        await started.child.end()
        self._children.remove(started.child)

    def _env(self, home: str) -> dict[str, str]:
        return self._environ | ({"VSM_MCP_HOME": str(self._folder / home)} if home else {})


def _document(text: bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
