"""``vsm-mcp vet``: judge a package without installing or running anything of it, or tool definitions alone."""

from __future__ import annotations

import sys

import click

from vsm_mcp.cli.session import Session, common
from vsm_mcp.cli.vet_definitions import show_definitions
from vsm_mcp.cli.vet_table import show_vetting
from vsm_mcp.errors import BadArgument

_REFUSED = 3


@click.command("vet")
@click.argument("ref", required=False, default="")
@click.option(
    "--definitions",
    metavar="FILE",
    default="",
    help="Tool definitions: a tools/list result or one JSON object a line; - for stdin.",
)
@common
def command(session: Session, ref: str, definitions: str) -> None:
    """Fetch REF and judge it; or judge, with --definitions, texts that a model would see.

    REF is what vsm-mcp add takes. Nothing is installed, run or admitted, and what was seen is kept as evidence.
    Definitions are judged by every name, description and schema in them, at any depth, and no home is touched. The
    exit code is 3 when REF is rejected or anything is blocked.
    """
    if bool(ref) == bool(definitions):
        raise BadArgument("one thing is judged at a time", "name a REF, or a file with --definitions")
    if definitions:
        sys.exit(show_definitions(session, definitions))
    document = session.run("vet", ref=ref)
    session.show(document, show_vetting)
    sys.exit(_REFUSED if document["judgement"] == "reject" else 0)
