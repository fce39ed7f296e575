"""``vsm-mcp add REF``: the whole way of an acquisition for a server that was named."""

from __future__ import annotations

import sys
from typing import Any

import click

from vsm_mcp.cli.asking import admit, show_outcome
from vsm_mcp.cli.method_option import meant_from_here, method_option
from vsm_mcp.cli.session import Session, common
from vsm_mcp.cli.settings_options import settings_from, settings_options


@click.command("add")
@click.argument("ref")
@settings_options
@method_option
@common
def command(session: Session, ref: str, name: str, yes: bool, method: str, **options: Any) -> None:
    """Fetch, vet, install, try and serve REF.

    REF is npm:NAME[@VERSION], pypi:NAME[==VERSION], git+URL[@REV][#subdirectory=FOLDER], dir:PATH,
    mcpb:FILE-or-URL[#sha256=HEX], https://HOST/PATH, wss://HOST/PATH, tcp://HOST:PORT or
    cmd:"PROGRAM ARGS".
    """
    settings = settings_from(options, interactive=session.interactive)
    params = {"ref": meant_from_here(ref, method), "name": name, "yes": yes, "settings": settings}
    sys.exit(show_outcome(session, admit(session, "add", params)))
