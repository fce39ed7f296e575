"""Asks MAGG itself which kits it knows and has loaded: ``magg kit list --json``.

Only for ``vsm-mcp kit list --magg``: MAGG takes seconds to start, and what a search needs of its kits is in their
files, which :mod:`~vsm_mcp.discovery.files.kits` reads. It runs as our own tools do, bounded in time and output.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from vsm_mcp.errors import ProtocolError
from vsm_mcp.sandbox.tool import run_tool

_SECONDS: Final = 30.0
_MOST_BYTES: Final = 4 * 1024 * 1024
_PASSED_ON: Final = ("HOME", "PATH", "LANG", "TMPDIR", "XDG_CONFIG_HOME", "USERPROFILE", "APPDATA", "SYSTEMROOT")


class Listed(msgspec.Struct, frozen=True):
    """One kit as MAGG lists it; ``path`` is ``None`` for a loaded one whose file is gone."""

    path: str | None = None
    loaded: bool = False
    description: str | None = None
    servers: list[str] = []


async def listed(environ: Mapping[str, str]) -> dict[str, Listed]:
    """Return the kits that MAGG lists, by name. Raises :class:`InstallFailed` without it, :class:`ProtocolError`."""
    env = {name: value for name, value in environ.items() if name in _PASSED_ON or name.startswith("MAGG_")}
    done = await run_tool(("magg", "kit", "list", "--json"), env=env, cwd=".", timeout=_SECONDS, max_output=_MOST_BYTES)
    if done.timed_out:
        raise ProtocolError(f"magg did not answer within {_SECONDS:g} s", _HINT)
    return read_list(done.stdout)


def read_list(said: bytes) -> dict[str, Listed]:
    """Read MAGG's answer; lines of its log may come before it. Raises :class:`ProtocolError`."""
    at = said.find(b"\n{") + 1 if not said.startswith(b"{") else 0
    try:
        document: dict[str, Any] = msgspec.json.decode(said[at:])
        return msgspec.convert(document["kits"], dict[str, Listed])
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError) as error:
        raise ProtocolError("magg answered something that is no list of kits", _HINT) from error


_HINT: Final = "run `magg kit list --json` by hand; without --magg only the files are read"
