"""``vsm-mcp sandbox run | show``: any program in the sandbox that a server would get, or what that would be."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any, Final

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.plan_text import plan_lines
from vsm_mcp.cli.session import Session, common
from vsm_mcp.cli.settings_options import reach_from, reach_options

_PASSED: Final = {"allow_interspersed_args": False}  # what follows the program's name is the program's


@click.group("sandbox")
def command() -> None:
    """Try what a permission profile, or options, let a program do."""


@command.command("run", context_settings=_PASSED)
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED)
@reach_options
@click.option("--watch", is_flag=True, help="Watch it as in a trial, with decoys in its home; say what it did.")
@common
def run(session: Session, program: tuple[str, ...], watch: bool, **options: Any) -> None:
    """Run PROGRAM in the sandbox that a server would get with the same options.

    Its standard streams are ours, its exit code too: 128 and the signal's number where one ended it. Ctrl-C and
    SIGTERM end all of it. Absolute paths of scripts (.py, .js, .sh, …) among the arguments are visible to it; anything
    else has to be granted. With --json, the document is the last line on stderr, for stdout is the program's.
    """
    from vsm_mcp.app import sandbox_run  # noqa: PLC0415 - heavy, and not needed for --help

    session.stdout_is_taken = True
    _whole()
    given = reach_from(options, interactive=session.interactive)
    document = asyncio.run(sandbox_run.run(session.config, given, program, watch=watch))
    if session.json:
        click.echo(err=True)  # the program may have left a line unfinished
    session.show(document, _ended)
    sys.exit(document["status"])


@command.command("show", context_settings=_PASSED)
@click.argument("program", nargs=-1, type=click.UNPROCESSED)
@reach_options
@common
def show(session: Session, program: tuple[str, ...], **options: Any) -> None:
    """Show what PROGRAM, or any server, could see and reach with these options, and what would hold it."""
    from vsm_mcp.app import sandbox_run  # noqa: PLC0415 - as above

    given = reach_from(options, interactive=session.interactive)
    session.show(asyncio.run(sandbox_run.show(session.config, given, program)), _plan)


def _whole() -> None:
    """Put nothing in the place of a standard stream that was closed for us: its number must not go to another file."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number


def _ended(document: dict[str, Any]) -> None:
    if document["exit"]["signal"] is not None:
        output.note(f"it {document['described']}")
    if "watch" in document:
        watch = document["watch"]
        output.note(f"watch: {watch['status']}, {watch['looked_at']} system calls {watch['detail']}".rstrip())
        for kind, seen in document["behaviour"].items():
            if kind != "calls" and seen:
                output.note(f"  {kind:<9} {output.some(seen)}")
        for finding in watch["findings"]:
            output.note(f"  {finding['severity']:<9} {finding['rule']} {finding['where']}")


def _plan(document: dict[str, Any]) -> None:
    for line in plan_lines(document["plan"]):
        output.line(line)
