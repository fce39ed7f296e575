"""``vsm-mcp bench``: what the gateway costs on this machine."""

from __future__ import annotations

import asyncio
import json
import math
import signal
import sys
from collections.abc import Coroutine, Mapping
from typing import Any, Final

import click
import uvloop

from vsm_mcp.bench import document, report, run
from vsm_mcp.bench.http_line import Place
from vsm_mcp.bench.plan import Plan
from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common
from vsm_mcp.errors import BadArgument
from vsm_mcp.model.loopback import on_loopback

_SIZES: Final = click.IntRange(32, 8 * 1024 * 1024)
_CLIENTS: Final = click.IntRange(1, 512)
_MOST: Final = 8


class _Numbers(click.ParamType[tuple[int, ...]]):
    """``N,N,…``: a few numbers of a range, none twice."""

    name = "N,N,…"

    def __init__(self, each: click.IntRange) -> None:
        self._each = each

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Read the numbers."""
        if isinstance(value, tuple):
            return value
        numbers = tuple(dict.fromkeys(self._each.convert(part, param, ctx) for part in value.split(",")))
        if len(numbers) > _MOST:
            self.fail(f"at most {_MOST} numbers", param, ctx)
        return numbers


@click.command("bench")
@click.option(
    "--seconds", type=click.FloatRange(0.05, 60), default=0.5, show_default=True, help="How long one block takes."
)
@click.option("--rounds", type=click.IntRange(1, 50), default=5, show_default=True, help="How often all is measured.")
@click.option(
    "--sizes", type=_Numbers(_SIZES), default="100,65536,1048576", show_default=True, help="Sizes of a text, in bytes."
)
@click.option(
    "--clients", type=_Numbers(_CLIENTS), default="1,8,64", show_default=True, help="Calls at a time, smallest size."
)
@click.option("--url", default="", help="Measure this endpoint, which runs already.")
@click.option("--tool", default="", help="With --url: the tool to call (default: the first that echoes).")
@click.option("--args", "arguments", default="", metavar="JSON", help="With --tool: its arguments, the same each time.")
@click.option("--bearer", default="", metavar="K", help="With --url: the variable that holds its key.")
@click.option("--yes", is_flag=True, help="With --url: load an endpoint that is not on this machine.")
@common
def command(session: Session, seconds: float, rounds: int, url: str, **options: Any) -> None:
    """Measure what the gateway costs: the same server directly and through it, side by side.

    In a temporary home, with an echo server that is added as any other (trial, sandbox) and vsm-mcp serve as a child.
    Each answer is compared with its request; one that is wrong, lost or doubled makes the exit code 1. Takes about
    25 times SECONDS times ROUNDS and some 15 seconds.
    """
    if not math.isfinite(seconds):
        raise BadArgument(f"--seconds {seconds} is no number of seconds", "how long one block takes: 0.05 to 60")
    plan = Plan(seconds=seconds, rounds=rounds, sizes=options["sizes"], clients=options["clients"])
    environ = session.config.environ
    tell = (lambda _words: None) if session.json else output.note
    if url:
        work = run.measure_elsewhere(plan, _elsewhere(url, options, environ), environ, tell)
    else:
        for name in ("tool", "arguments", "bearer", "yes"):
            if options[name]:
                raise BadArgument(f"--{'args' if name == 'arguments' else name} goes with --url", "leave it out")
        work = run.measure_own(plan, environ, tell)
    try:
        result = uvloop.run(_stoppable(work))
    except asyncio.CancelledError as error:
        raise KeyboardInterrupt from error
    session.show(result, _human)
    sys.exit(1 if document.faults(result) else 0)


async def _stoppable(work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """Do the work; SIGTERM ends it as Ctrl-C does."""
    doing = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, doing.cancel)
    return await doing


def _elsewhere(url: str, options: dict[str, Any], environ: Mapping[str, str]) -> run.Elsewhere:
    """Read what was given of an endpoint. Raises :class:`BadArgument`."""
    key, arguments = options["bearer"], options["arguments"]
    if key and key not in environ:
        raise BadArgument(f"--bearer {key}: there is no variable {key} in the environment", f"export {key}=… first")
    if arguments and not options["tool"]:
        raise BadArgument("--args goes with --tool", "name the tool that takes them")
    place = Place.of(url, environ.get(key, ""))
    local = on_loopback(place.host)
    if not local and not options["yes"]:
        raise BadArgument(f"{place.host} is not this machine", "if it is yours to load, say so with --yes")
    return run.Elsewhere(place=place, tool=options["tool"], arguments=_object(arguments), local=local)


def _object(text: str) -> bytes:
    try:
        read = json.loads(text) if text else {}
    except ValueError as error:
        raise BadArgument(f"--args is no JSON: {error}", """write --args '{"key": "value"}'""") from error
    if not isinstance(read, dict):
        raise BadArgument("--args is no JSON object", """write --args '{"key": "value"}'""")
    return json.dumps(read).encode() if text else b""


def _human(result: dict[str, Any]) -> None:
    here, plan = result["machine"], result["plan"]
    output.line(f"vsm-mcp {result['version']} on {here['cpus']} × {here['cpu']}, {here['system']}", style="bold")
    sandbox = f"sandbox tier {result['tier']}; " if result["tier"] else ""
    output.line(f"{sandbox}{plan['rounds']} rounds of {plan['seconds']:g} s a block; median [least–most] of the rounds")
    for rows in (report.ratios(result), report.durations(result), report.launches(result)):
        if rows:
            output.line("")
            output.table(rows[0], rows[1:])
    output.line("")
    output.line(f"answers: {report.answers(result)}", style="bold red" if document.faults(result) else "")
    for words in report.examples(result):
        output.line(f"  {words}", style="red")
    noise = result["noise"]
    output.line(noise["words"], style="" if noise["quiet"] else "yellow")
