"""What is said to a person about the way calls take."""

from __future__ import annotations

from typing import Any, Final

from vsm_mcp.cli import output

_STATES: Final = {"open": "left alone", "half_open": "being tried"}


def breaker_line(row: dict[str, Any]) -> str:
    """Return what a breaker that is not closed does."""
    what = f"{row['server']}: {row['tool']}" if row["tool"] else row["server"]
    until = f" for {row['seconds']:.0f} s more" if row["state"] == "open" else ""
    return f"{what} is {_STATES[row['state']]}{until} ({row['failure']}); {row['refused']} calls refused"


def routing_lines(routing: dict[str, Any]) -> None:
    """Print what is not as always: breakers that are not closed, replicas, what is degraded and what is kept."""
    for row in routing["breakers"]:
        output.line(breaker_line(row), style="yellow")
    rows = [
        (group["server"], each["server"], f"{each['weight']:g}", each["priority"], each["calls"], _able(each))
        for group in routing["groups"]
        for each in group["replicas"]
    ]
    if rows:
        output.line("")
        output.table(("TOGETHER", "REPLICA", "WEIGHT", "PRIORITY", "CALLS", "ABLE"), rows)
    for name, weight in routing["degraded"].items():
        output.line(f"{name} counts for {weight:.0%} of itself: it is not well", style="yellow")
    cache = routing["cache"]
    if cache["entries"]:
        used = f"{output.size(cache['bytes'])} of {output.size(cache['limit_bytes'])}"
        output.line(f"kept: {cache['entries']} results, {used}; {cache['hits']} hits, {cache['misses']} misses")


def _able(replica: dict[str, Any]) -> str:
    return "yes" if replica["able"] else "no"
