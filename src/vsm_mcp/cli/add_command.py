"""``vsm-mcp add REF``: the whole way of an acquisition for a server that was named."""

from __future__ import annotations

import sys
from typing import Any

import click

from vsm_mcp.cli.asking import admit, show_outcome
from vsm_mcp.cli.session import Session, common
from vsm_mcp.cli.settings_options import settings_from, settings_options


@click.command("add")
@click.argument("ref")
@settings_options
@common
def command(session: Session, ref: str, name: str, yes: bool, **options: Any) -> None:
    """Fetch, vet, install, try and serve REF.

    REF is npm:NAME[@VERSION], pypi:NAME[==VERSION], https://HOST/PATH, wss://HOST/PATH,
    tcp://HOST:PORT or cmd:"PROGRAM ARGS".
    """
    settings = settings_from(options, interactive=session.interactive)
    params = {"ref": ref, "name": name, "yes": yes, "settings": settings}
    sys.exit(show_outcome(session, admit(session, "add", params)))
