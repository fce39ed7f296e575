"""The kinds of servers, by the least that has to be said of each.

``settings`` are those of :class:`~vsm_mcp.model.launch.Settings`: ``env``, ``secrets``, ``paths``, ``restart``, …
Each function raises :class:`BadArgument`, naming the field, for what cannot be used.
"""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from typing import Any

from vsm_mcp.errors import BadArgument
from vsm_mcp.install.roots import roots_of
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import Ref, RefKind
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.runtime import validation


def program(name: str, *argv: str, reads: tuple[str, ...] = (), **settings: Any) -> Server:
    """A program of this machine that speaks over its pipes.

    It sees its own files (a script's folder, an interpreter's virtual environment) and what it ``reads``; ``paths``
    grants more.
    """
    if not argv:
        raise BadArgument("argv: there is no program", f'write program("{name}", "PROGRAM", "ARGUMENT", …)')
    found = shutil.which(argv[0])
    if found is None:
        raise BadArgument(f"argv: there is no program {argv[0]!r} on this machine", "give its absolute path")
    whole = (str(Path(found).absolute()), *argv[1:])
    roots = (*roots_of(whole, str(Path.home())), *(os.path.realpath(path) for path in reads))
    entry = Entry(argv=whole, runtime="native", roots=roots)
    return _server(name, Ref(RefKind.CMD, shlex.join(whole)), entry, settings)


def listening(name: str, *argv: str, listens: str = "http", **settings: Any) -> Server:
    """A program of this machine that listens: ``http``, ``sse``, ``ws``, ``tcp``, or a URL with ``{port}`` in it."""
    return program(name, *argv, listens=listens, **settings)


def remote(name: str, url: str, **settings: Any) -> Server:
    """A server that runs elsewhere; ``env`` and ``secrets`` are its headers."""
    return _server(name, Ref(RefKind.REMOTE, url), Entry(argv=(), runtime="remote"), settings)


def custom(name: str, **settings: Any) -> Server:
    """A server of the embedding program's own: pass what starts it to :meth:`Runtime.add`, beside this."""
    return _server(name, Ref(RefKind.CMD, name), Entry(argv=(), runtime="custom"), settings)


def _server(name: str, ref: Ref, entry: Entry, fields: dict[str, Any]) -> Server:
    unknown = sorted(fields.keys() - set(Settings.__struct_fields__))
    if unknown:
        known = ", ".join(Settings.__struct_fields__)
        raise BadArgument(f"{unknown[0]}: there is no such setting", f"settings are {known}")
    settings = Settings(**fields)
    validation.check(settings, remote=ref.kind is RefKind.REMOTE)
    path = str(Path(entry.argv[0]).parent) if entry.argv else "/"
    installation = Installation(server=name, ref=ref, version="", path=path, entry=entry)
    return Server(name=name, ref=ref, version="", installation=installation, settings=settings)
