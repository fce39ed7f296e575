"""``vsm-mcp set NAME``: other settings for a server that is there."""

from __future__ import annotations

from typing import Any, Final

import click
from click.core import ParameterSource

from vsm_mcp.cli import output
from vsm_mcp.cli.session import OperationFailed, Session, common
from vsm_mcp.cli.settings_options import settings_from, settings_options
from vsm_mcp.errors import BadArgument

_FIELDS: Final = {"idle_stop": "idle_stop_seconds"}
_OTHERS: Final = frozenset({"server", "clear", "yes", "as_json", "home"})


@click.command("set")
@click.argument("server", metavar="NAME")
@click.option(
    "--clear", multiple=True, metavar="SETTING", help="Empty a setting first: args, env, secrets, hosts, paths, cwd …"
)
@settings_options
@common
def command(session: Session, server: str, name: str, yes: bool, clear: tuple[str, ...], **options: Any) -> None:
    """Change the settings of server NAME; what is not given stays as it is.

    --env and --secret add to what is there, everything else takes its place. Calls in flight end before it is started
    anew; if it does not come up with the new settings, it goes on with the old ones.
    """
    if name:
        raise BadArgument("a server keeps its name", "add it again under another one")
    fields = [_FIELDS.get(option, option) for option in _given() if option not in _OTHERS]
    if "permissions" in fields:
        fields = [*dict.fromkeys((*fields, "project"))]  # what the profile's . stands for is chosen with it
    cleared = [word.replace("-", "_") for word in clear]
    settings = settings_from(options, interactive=session.interactive)
    params = {"name": server, "settings": settings, "fields": fields, "clear": cleared, "yes": yes}
    session.show(_agreed(session, params), _human)


def _given() -> list[str]:
    context = click.get_current_context()
    return [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]


def _agreed(session: Session, params: dict[str, Any]) -> dict[str, Any]:
    try:
        return session.run("set", **params)
    except OperationFailed as failure:
        if failure.document.get("code") != "approval_needed" or not session.interactive:
            raise
        output.note(failure.document["message"], style="bold")
        if not click.confirm("go on?", default=False, err=True):
            raise
    return session.run("set", **(params | {"yes": True}))


def _human(document: dict[str, Any]) -> None:
    for change in document["changes"]:
        output.line(f"{change['item']}: {change['before']} -> {change['after']}")
    output.line(f"{document['name']}: {document['result']}")
