"""How a server is, in words for a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vsm_mcp.cli import output

_SHOWN = 12
_MARKS = {"pass": "·", "fail": "x", "unavailable": " "}


def ailment(how: dict[str, Any] | None) -> str:
    """Return what ails a server and what became of it, as a clause; empty for a healthy one."""
    if not how or not how["state"]:
        return ""
    said = [] if how["state"] == "healthy" else [f"{how['condition']}: {how['reason']}".removesuffix(": ")]
    if how["escalated"]:
        said.append("nothing mended it, it waits for a person")
    elif how["stands_in"]:
        said.append(f"its work is done by {', '.join(how['stands_in'])}")
    elif how["attempts"] and how["state"] != "healthy":
        last = how["last_attempt"]
        said.append(f"{last['remedy']} {last['outcome']}")
    return "; ".join(said)


def health_lines(how: dict[str, Any]) -> Iterator[str]:
    """Yield what ``inspect`` shows of a server's health, a line each."""
    if not how["state"]:
        yield "nobody looks: it does not run, or no daemon does"
        return
    yield f"{how['condition']} since {output.when(how['since'])}" if how["since"] else how["state"]
    for issue in how["issues"]:
        yield f"{issue['check']}: {issue['severity']}: {issue['detail']}"
    for name, reading in how["checks"].items():
        past = "".join(_MARKS[point["status"]] for point in how["history"].get(name, ())[-_SHOWN:])
        yield f"{name:<14}{reading['status']:<12}[{past:>{_SHOWN}}] {reading['detail']}"
    for name, grown in how["trends"].items():
        yield f"{name} grows by {grown['per_hour']:.3g} an hour: its limit in about {round(grown['eta'] / 60)} minutes"
    if how["attempts"]:
        for rung in how["ladder"]:
            said = f"{rung['outcome']} {output.when(rung['at'])} {rung['detail']}" if "at" in rung else "-"
            yield f"{rung['remedy']:<14}{said}".rstrip()
    if how["stands_in"]:
        yield f"its work is done by {', '.join(how['stands_in'])}"
    if how["escalated"]:
        yield f"waits for a person since {output.when(how['escalated'])}: vsm-mcp restart begins anew"
