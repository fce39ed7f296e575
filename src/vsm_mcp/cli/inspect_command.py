"""``vsm-mcp inspect NAME``: everything known about one server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.difference_text import change_lines
from vsm_mcp.cli.health_text import health_lines
from vsm_mcp.cli.plan_text import plan_lines
from vsm_mcp.cli.rollout_command import rollout_line
from vsm_mcp.cli.routing_text import breaker_line
from vsm_mcp.cli.servers import crash_lines, pool_line
from vsm_mcp.cli.session import Session, common
from vsm_mcp.model.counted import counted


@click.command("inspect")
@click.argument("name")
@common
def command(session: Session, name: str) -> None:
    """Show one server: its installation, launch, permissions, state, tools and last words."""
    session.show(session.run("inspect", name=name), _human)


def _human(document: dict[str, Any]) -> None:
    for key, value in document["server"].items():
        if key == "sandbox":
            output.line(f"{key:<14}{value['tier']}")
            for name, state in value["properties"].items():
                output.line(f"{'':<14}{name}: {state}")
        elif key == "plan":
            output.line(f"{key:<14}" + f"\n{'':<14}".join(map(output.flat, plan_lines(value))))
        elif key == "limits":
            output.line(f"{key:<14}{', '.join(_limit(name, each) for name, each in value.items()) or '-'}")
        else:
            output.line(f"{key:<14}{_shown(key, value) or '-'}")


def _limit(name: str, limit: dict[str, Any]) -> str:
    given = output.size(limit["limit"]) if name.endswith("_bytes") else f"{limit['limit']:g}"
    return f"{name.removesuffix('_bytes')} {given} ({limit['how']})"


def _shown(key: str, value: Any) -> str:
    if key in _WRITTEN and value is not None:
        return f"\n{'':<14}".join(output.flat(line) for line in _WRITTEN[key](value) if line)
    if isinstance(value, (list, tuple)):
        return output.flat(", ".join(map(str, value)))
    if isinstance(value, dict):
        return output.flat(", ".join(f"{name}={item}" for name, item in value.items()))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else output.flat(value)


def _used(name: str, number: float) -> str:
    shown = output.size(number) if name.endswith("_bytes") else f"{number:g}"
    return f"{name.removesuffix('_bytes')} {shown}"


def _resources(used: dict[str, Any]) -> list[str]:
    seen = {name: number for name, number in used.items() if name != "at" and number is not None}
    return [", ".join(_used(name, number) for name, number in seen.items())]


def _limits(limits: dict[str, Any]) -> list[str]:
    return [", ".join(_limit(name, each) for name, each in limits.items())]


def _idle(seconds: float) -> list[str]:
    return [f"after {seconds:g} s without use" if seconds else "never"]


def _instances(instances: list[dict[str, Any]]) -> list[str]:
    return [f"{item['session']} {item['state']}, pid {item['pid'] or '-'}" for item in instances]


def _contact(item: dict[str, Any]) -> str:
    place = f"{item['host']}:{item['port']}" if item["port"] else item["host"]
    verdict = "allowed" if item["allowed"] else "refused"
    why = f": {item['reason']}" if item["reason"] else ""
    return f"{verdict} {place}, {counted(item['count'], 'times')}, last {output.when(item['last'])}{why}"


_WRITTEN: Final[dict[str, Callable[[Any], Iterable[str]]]] = {
    "since": lambda moment: [output.when(moment)] if moment else [],
    "idle_stop": _idle,
    "session_idle": _idle,
    "tools": lambda names: [output.some([str(name) for name in names])],
    "stderr": lambda lines: map(str, lines),
    "instances": _instances,
    "condition": health_lines,
    "pool": lambda pool: [pool_line(pool)],
    "crash": crash_lines,
    "resources": _resources,
    "breakers": lambda rows: map(breaker_line, rows),
    "limits": _limits,
    "changes": lambda changes: (line for change in changes for line in change_lines(change)),
    "rollout": lambda rollout: [rollout_line(rollout), rollout["reason"]],
    "contacts": lambda contacts: map(_contact, contacts),
}
"""Fields that are not shown as they are: what stands for each, a line each."""
