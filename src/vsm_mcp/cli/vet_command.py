"""``vsm-mcp vet``: judge a package without installing or running anything of it, or tool definitions alone."""

from __future__ import annotations

import sys
from typing import Final

import click

from vsm_mcp.cli.session import Session, common
from vsm_mcp.cli.vet_definitions import show_definitions
from vsm_mcp.cli.vet_table import show_vetting
from vsm_mcp.errors import BadArgument

_REFUSED: Final = frozenset({"reject", "block"})
_HELD: Final = frozenset({"quarantine", "review"})


@click.command("vet")
@click.argument("ref", required=False, default="")
@click.option(
    "--definitions",
    metavar="FILE",
    default="",
    help="Tool definitions: a tools/list result or one JSON object a line; - for stdin.",
)
@click.option("--allow-scripts", is_flag=True, help="Judge REF as if its install scripts were let run; none runs here.")
@click.option("--allow-review", is_flag=True, help="Exit with 0 where only a person would have to look.")
@common
def command(session: Session, ref: str, definitions: str, allow_scripts: bool, allow_review: bool) -> None:
    """Fetch REF and judge it; or judge, with --definitions, texts that a model would see.

    REF is what vsm-mcp add takes. Nothing is installed, run or admitted, and what was seen is kept as evidence.
    Definitions are judged by every name, description and schema in them, at any depth, and no home is touched. The
    exit code is 0 when it would be let in as it is, 3 when it is rejected (any definition: block) or would wait for a
    person (any definition: review); with --allow-review, 3 for the former alone.
    """
    if bool(ref) == bool(definitions):
        raise BadArgument("one thing is judged at a time", "name a REF, or a file with --definitions")
    if definitions and allow_scripts:
        raise BadArgument("definitions have no install scripts", "--allow-scripts goes with a REF")
    if definitions:
        verdicts = show_definitions(session, definitions)
    else:
        document = session.run("vet", ref=ref, allow_scripts=allow_scripts)
        session.show(document, show_vetting)
        verdicts = {document["judgement"]}
    sys.exit(3 if verdicts & (_REFUSED if allow_review else _REFUSED | _HELD) else 0)
