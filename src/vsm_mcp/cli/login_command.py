"""``vsm-mcp login NAME``: let a person authorize us at a server that runs elsewhere."""

from __future__ import annotations

from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common


@click.command("login")
@click.argument("server")
@click.option("--browser", is_flag=True, help="Open the address in a browser.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Where the browser comes back to (default: any)."
)
@common
def command(session: Session, server: str, browser: bool, port: int) -> None:
    """Authorize the gateway at SERVER, once: a name of the catalogue, or the URL of a server that is still to be added.

    Prints the address at which you agree, and waits for you. Only servers that ask for OAuth need this.
    """
    session.browse = browser
    session.show(session.run("login", server=server, port=port), _shown)


def _shown(document: dict[str, Any]) -> None:
    output.line(f"{document['server']}: login {document['login']}")
