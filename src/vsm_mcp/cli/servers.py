"""Commands about the servers that run: which are meant, and how their state is printed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.health_text import ailment
from vsm_mcp.cli.session import Session
from vsm_mcp.errors import BadArgument
from vsm_mcp.model.counted import counted

F = TypeVar("F", bound=Callable[..., Any])


def several(function: F) -> F:
    """Give a command any number of names, ``--all`` and ``--at-once``."""
    function = click.option(
        "--at-once", type=click.IntRange(min=1), default=10, show_default=True, help="How many at a time."
    )(function)
    function = click.option("--all", "everything", is_flag=True, help="All servers that are served.")(function)
    return click.argument("names", nargs=-1, metavar="[NAME]...")(function)


def many(names: tuple[str, ...], *, everything: bool) -> bool:
    """Say whether more than one server is meant. Raises :class:`BadArgument` when it is not clear which."""
    if bool(names) == everything:
        raise BadArgument("name some servers, or say --all", "vsm-mcp list shows the names")
    return everything or len(names) > 1


def run_many(session: Session, what: str, names: tuple[str, ...], *, everything: bool, at_once: int) -> int:
    """Do something with many servers, show what came of it for each; return the exit code."""
    document = session.run("bulk", what=what, names=names, everything=everything, at_once=at_once)
    session.show(document, _show_many)
    return 1 if document["failed"] else 0


def _show_many(document: dict[str, Any]) -> None:
    rows = [
        (row["name"], "ok" if row["ok"] else "failed", f"{row['seconds']:.2f} s", row["detail"])
        for row in document["results"]
    ]
    output.table(("NAME", document["action"].upper(), "TOOK", "DETAIL"), rows)


def show_state(document: dict[str, Any]) -> None:
    """Print ``name: state`` with the reason where there is one."""
    reason = f" ({document['reason']})" if document.get("reason") else ""
    output.line(f"{document['name']}: {document['state']}{reason}")


def reason_of(row: dict[str, Any]) -> str:
    """Return why a server is not ready; for one that is, how busy its pool is, and how it ended last.

    Before all of that comes what waits for a person.
    """
    denied = row.get("denied", ())
    asked = [key for key in row.get("frozen", ()) if key not in denied]
    said = [f"frozen until approved: {output.some(asked, 3)};"] if asked else []
    said += [f"denied: {output.some(denied, 3)};"] if denied else []
    said += [f"upgrade {row['waiting']} waits for approval;"] if row.get("waiting") else []
    said += [f"{ails};"] if (ails := ailment(row.get("condition"))) else []
    if row["reason"]:
        return " ".join([*said, str(row["reason"])])
    said += [pool_line(row["pool"])] if row.get("pool") else []
    crash = row.get("crash")
    said += [f"(ended {output.when(crash['at'])}: {crash['reason']})"] if crash else []
    return " ".join(said).removesuffix(";")


def pool_line(pool: dict[str, Any]) -> str:
    """Return what a pool does now, for a person."""
    most = pool["size"] + pool["overflow"]
    return (
        f"{pool['ready']} of {counted(most, 'processes')}, {counted(pool['calls'], 'calls')}, {pool['waiting']} waiting"
    )


def crash_lines(crash: dict[str, Any]) -> list[str]:
    """Return what is known about an end, for a person, a line each."""
    how = [f"exit code {crash['exit_code']}" if crash["exit_code"] is not None else crash["signal"]]
    how += ["out of memory"] if crash["oom"] else []
    how += [] if crash["ready"] else ["it had not come up"]
    said = [f"| {line}" for line in crash["stderr"]]
    return [f"{output.when(crash['at'])}: {crash['reason']}", ", ".join(filter(None, how)), *said]
