"""The options that say how the processes of a server are run: a part of those of ``add`` and ``acquire``."""

from __future__ import annotations

import math
from typing import Any, Final

import click

from vsm_mcp.errors import BadArgument
from vsm_mcp.model.launch import RestartPolicy

OPTIONS: Final = (
    click.option(
        "--listens",
        default="",
        metavar="URL",
        help="It listens instead of speaking over its pipes: http, sse, ws, tcp, or a URL such as"
        " http://127.0.0.1:{port}/mcp. Its port is {port} in --arg and --env (default: --env PORT={port}).",
    ),
    click.option(
        "--health", default="", metavar="PATH", help="With --listens: a path that answers when the server is well."
    ),
    click.option(
        "--stateful/--shared",
        default=None,
        help="A process of its own for each client session, or one for all (default: as it is observed).",
    ),
    click.option(
        "--keep-home/--private-home",
        default=None,
        help="What it writes in its home stays when it ends, or goes with it (default: it stays where the server is"
        " known to keep things, or was seen to write there in its trial).",
    ),
    click.option("--lazy/--no-lazy", default=None, help="Start it with its first call (default: [runtime] lazy)."),
    click.option(
        "--idle-stop",
        type=click.FloatRange(min=0),
        default=None,
        metavar="SECONDS",
        help="Stop it after so long without use; 0: never (default: [runtime] idle_stop_seconds).",
    ),
    click.option(
        "--restart",
        type=click.Choice([policy.value for policy in RestartPolicy]),
        default=RestartPolicy.PERMANENT.value,
        show_default=True,
        help="When to start it again once it ended by itself: always, unless it ended well, or with the next call.",
    ),
    click.option(
        "--pool-size",
        type=click.IntRange(1, 64),
        default=1,
        metavar="N",
        help="So many processes share its calls; for a server that keeps no state.",
    ),
    click.option(
        "--max-overflow", type=click.IntRange(0, 64), default=0, metavar="N", help="So many more when all are full."
    ),
    click.option(
        "--calls-at-once",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="So many calls fill one process; further ones wait for their turn. 0: as many as come.",
    ),
    click.option(
        "--queue-limit", type=click.IntRange(min=0), default=100, show_default=True, help="So many calls may wait."
    ),
    click.option(
        "--queue-seconds",
        type=click.FloatRange(min=0, min_open=True),
        default=30.0,
        show_default=True,
        help="How long.",
    ),
    click.option(
        "--replica-of",
        default="",
        metavar="NAME",
        help="A server that does the same: both answer under its name, each call by one of them.",
    ),
    click.option(
        "--replica-weight",
        type=click.FloatRange(min=0, max=1000, min_open=True),
        default=1.0,
        show_default=True,
        help="Its share of the calls beside its replicas.",
    ),
    click.option(
        "--replica-priority",
        type=click.IntRange(0, 1000),
        default=0,
        show_default=True,
        help="Of replicas, the lowest is asked; others only when it cannot answer.",
    ),
    click.option(
        "--after",
        "after",
        multiple=True,
        metavar="NAME",
        help="Another server: where both are started together, this one comes after it.",
    ),
)


def process_settings(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of ``settings`` that these options give. Raises :class:`BadArgument` naming the option."""
    return {
        "listens": given["listens"],
        "health": given["health"],
        "stateful": given["stateful"],
        "keep_home": given["keep_home"],
        "lazy": given["lazy"],
        "idle_stop_seconds": _seconds(given["idle_stop"], "--idle-stop"),
        "restart": given["restart"],
        "after": list(given["after"]),
        **{name: given[name] for name in ("pool_size", "max_overflow", "calls_at_once", "queue_limit")},
        "replica_of": given["replica_of"],
        **{name: given[f"replica_{name}"] for name in ("weight", "priority")},
        "queue_seconds": _seconds(given["queue_seconds"], "--queue-seconds"),
    }


def _seconds(value: float | None, option: str) -> float | None:
    if value is not None and not math.isfinite(value):
        raise BadArgument(f"{option} {value} is no number of seconds", "write 0 for never")
    return value
