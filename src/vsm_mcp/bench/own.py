"""The subjects of a measurement of our own: the same echo server directly and through the gateway, five ways."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Final

from vsm_mcp.bench.conversation import Connect
from vsm_mcp.bench.http_line import HttpLine
from vsm_mcp.bench.programs import ECHO_HTTP, ECHO_STDIO, GATEWAY_HTTP, GATEWAY_STDIO, TIMED, Started
from vsm_mcp.bench.question import EchoQuestion
from vsm_mcp.bench.stage import Stage
from vsm_mcp.bench.subject import Ask, Subject

DIRECT: Final = ("stdio", "http")
"""The keys of the subjects without a gateway."""

Tell = Callable[[str], None]


async def launches(stage: Stage, rounds: int, tell: Tell) -> dict[str, list[float]]:
    """Return how long each program took from its launch to the first complete list, in seconds, for each round."""
    taken: dict[str, list[float]] = {name: [] for name in TIMED}
    for number in range(rounds):
        tell(f"launch {number + 1} of {rounds}")
        for name in random.sample(list(TIMED), len(TIMED)):
            started = await stage.start(TIMED[name])
            taken[name].append(started.seconds)
            await stage.end(started)
    return taken


async def admit(stage: Stage, tell: Tell) -> Started:
    """Start the echo server over HTTP, add it and the one over stdio to the homes of the gateways; return it."""
    web = await stage.start(ECHO_HTTP)
    tell("admitting the echo servers, with their trials")
    await stage.admit("stdio", "pipe")
    await stage.admit("http", "pipe")
    await stage.admit("http", "web", web.place.url)
    return web


async def subjects(stage: Stage, web: Started) -> list[Subject]:
    """Start the programs and return the five ways; ``web`` is what :func:`admit` returned."""
    pipe, inner, outer = [await stage.start(program) for program in (ECHO_STDIO, GATEWAY_STDIO, GATEWAY_HTTP)]
    return [
        Subject("stdio", "direct, stdio", _echo(pipe)).sharing(pipe.conversation, pipe.tally),
        Subject("stdio-stdio", "stdio → stdio", _echo(inner), baseline="stdio", pid=inner.child.pid).sharing(
            inner.conversation, inner.tally
        ),
        direct_http(web),
        Subject("http-stdio", "HTTP → stdio", _echo(outer), baseline="http", pid=outer.child.pid).connecting(
            _to(outer)
        ),
        Subject("http-http", "HTTP → HTTP", _echo(outer, 1), baseline="http", pid=outer.child.pid).connecting(
            _to(outer)
        ),
    ]


def direct_http(web: Started) -> Subject:
    """Return the way to an echo server over HTTP without a gateway."""
    return Subject("http", "direct, HTTP", _echo(web)).connecting(_to(web))


def _echo(started: Started, number: int = 0) -> Ask:
    return partial(EchoQuestion, started.tools[number], "text")


def _to(started: Started) -> Connect:
    return partial(HttpLine.to, started.place)
