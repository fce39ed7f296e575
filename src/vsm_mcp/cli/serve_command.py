"""``vsm-mcp serve``: the daemon, over HTTP on loopback or over stdio."""

from __future__ import annotations

import asyncio
import gc

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common
from vsm_mcp.config import load, variable
from vsm_mcp.errors import BadArgument, HomeBusy, TransportError

_WAIT_SECONDS = 60.0
_BETWEEN_SECONDS = 0.2


@click.command("serve")
@click.option("--host", default=None, help="The address to listen on (default: the settings').")
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="The port; 0 takes a free one.")
@click.option("--stdio", is_flag=True, help="Speak MCP on stdin and stdout, for a client that starts us.")
@click.option("--profile", default="", metavar="NAME", help="With --stdio: show what [profiles.NAME] shows.")
@common
def command(session: Session, host: str | None, port: int | None, stdio: bool, profile: str) -> None:
    """Serve every server of the catalogue behind one MCP endpoint, and each profile at /mcp/NAME.

    With --stdio, a daemon that already serves this home is used: this process passes messages on to it.
    """
    if profile and not stdio:
        raise BadArgument("--profile goes with --stdio", "over HTTP every profile is served, each at /mcp/NAME")
    gc.disable()  # until the daemon is set up (app/memory.py): a quarter of its start would go into looking for garbage
    import uvloop  # noqa: PLC0415 - loaded for the daemon only

    from vsm_mcp.app.passing import pass_on  # noqa: PLC0415 - loaded for the daemon only
    from vsm_mcp.app.serving import serve  # noqa: PLC0415 - loaded for the daemon only

    config = session.config
    given = {"host": host, "port": port}
    chosen = {variable("gateway", name): str(value) for name, value in given.items() if value is not None}
    if chosen:  # as variables, so that they still win when the file is read again
        config = load(config.home, {**config.environ, **chosen})

    async def run() -> None:
        until = asyncio.get_running_loop().time() + _WAIT_SECONDS
        while True:
            try:
                return await serve(config, stdio=stdio, profile=profile, ready=_announce)
            except HomeBusy:
                if not stdio:
                    raise
                gc.enable()
            try:
                return await asyncio.to_thread(pass_on, config.home, 0, 1, profile)
            except TransportError:  # no daemon holds the home, but a command that will be done soon
                if asyncio.get_running_loop().time() > until:
                    raise
                await asyncio.sleep(_BETWEEN_SECONDS)

    uvloop.run(run())


def _announce(address: str) -> None:
    output.note(f"serving MCP at {address} (stop with Ctrl-C)", style="bold")
