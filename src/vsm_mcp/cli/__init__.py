"""The command line: one file a command.

Data on stdout, everything else on stderr; ``--json`` on every command gives one JSON document. Exit codes: 0 done,
1 failed, 2 usage, 3 refused by policy or vetting, 4 nothing found, 5 not reachable.
"""

from __future__ import annotations

import gc
import importlib
from typing import Final

import click

from vsm_mcp import __version__

COMMANDS: Final = (
    "search",
    "acquire",
    "add",
    "vet",
    "list",
    "inspect",
    "tools",
    "capabilities",
    "call",
    "start",
    "stop",
    "restart",
    "set",
    "health",
    "gaps",
    "login",
    "import",
    "export",
    "kit",
    "approve",
    "deny",
    "upgrade",
    "rollback",
    "rollout",
    "remove",
    "key",
    "serve",
    "reload",
    "status",
    "trial",
    "lock",
    "evidence",
    "journal",
    "events",
    "doctor",
    "sandbox",
    "bench",
)


class LazyGroup(click.Group):
    """Imports a command's file only when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of a server's life."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        gc.disable()  # what an import makes stays: to look through it again and again frees nothing
        try:
            module = importlib.import_module(f"vsm_mcp.cli.{cmd_name}_command")
        finally:
            gc.enable()
        command: click.Command = module.command
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="vsm-mcp")
def main() -> None:
    """Find, vet, install and serve the MCP server that an agent needs.

    Everything is kept in $VSM_MCP_HOME. A running daemon (vsm-mcp serve) is used where there is one.
    """
