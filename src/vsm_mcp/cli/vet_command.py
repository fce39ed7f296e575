"""``vsm-mcp vet REF``: judge a package without installing or running anything of it."""

from __future__ import annotations

import sys

import click

from vsm_mcp.cli.session import Session, common
from vsm_mcp.cli.vet_table import show_vetting

_REFUSED = 3


@click.command("vet")
@click.argument("ref")
@common
def command(session: Session, ref: str) -> None:
    """Fetch REF and judge it: names, archive, code. Nothing is installed, run or admitted.

    REF is what vsm-mcp add takes. The exit code is 3 when it is rejected. What was seen is kept as evidence.
    """
    document = session.run("vet", ref=ref)
    session.show(document, show_vetting)
    sys.exit(_REFUSED if document["judgement"] == "reject" else 0)
