"""The programs that are measured, and how one is started until it lists its tools."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from vsm_mcp.bench import echo
from vsm_mcp.bench.children import Child, free_port
from vsm_mcp.bench.conversation import Conversation
from vsm_mcp.bench.http_line import HttpLine, Place
from vsm_mcp.bench.pipe_line import PipeLine
from vsm_mcp.bench.question import echo_among
from vsm_mcp.bench.tally import Tally
from vsm_mcp.errors import RequestTimeout, TransportError, VsmError

VSM_MCP: Final = (sys.executable, "-P", "-c", "from vsm_mcp.cli import main; main()")
ECHO: Final = (sys.executable, "-I", str(echo.__file__))
PORT: Final = "PORT"
PIPES: Final = Place(host="", port=0, target="")
_START_SECONDS: Final = 60.0
_AGAIN_SECONDS: Final = 0.002


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A program: :data:`PORT` in its arguments stands for a free port, without it it speaks over pipes.

    ``home`` names the home it works on, ``""`` for none; ``prefixes`` are what the names of its echo tools begin with.
    """

    argv: tuple[str, ...]
    home: str = ""
    prefixes: tuple[str, ...] = ("",)


ECHO_STDIO: Final = Program(argv=ECHO)
ECHO_HTTP: Final = Program(argv=(*ECHO, "--http", PORT))
GATEWAY_STDIO: Final = Program(argv=(*VSM_MCP, "serve", "--stdio"), home="stdio", prefixes=("pipe__",))
GATEWAY_HTTP: Final = Program(argv=(*VSM_MCP, "serve", "--port", PORT), home="http", prefixes=("pipe__", "web__"))
TIMED: Final = {"echo-stdio": ECHO_STDIO, "echo-http": ECHO_HTTP, "vsm-mcp-stdio": GATEWAY_STDIO}
TIMED["vsm-mcp-http"] = GATEWAY_HTTP


class Started(msgspec.Struct, kw_only=True):
    """A program that lists its tools, ``seconds`` after its launch; ``place`` is where, :data:`PIPES` over those.

    ``tally`` counts what nobody asked for in its ``conversation``.
    """

    child: Child
    place: Place
    conversation: Conversation
    tally: Tally
    tools: tuple[str, ...]
    seconds: float


async def start(program: Program, env: Mapping[str, str], cwd: str, begun: Callable[[Child], None]) -> Started:
    """Start a program and wait until it lists an echo tool for each of its prefixes.

    ``begun`` gets the child as soon as there is one. Raises :class:`TransportError`, :class:`RequestTimeout`.
    """
    loop = asyncio.get_running_loop()
    place = Place(host="127.0.0.1", port=free_port(), target="/mcp") if PORT in program.argv else PIPES
    argv = [str(place.port) if word == PORT else word for word in program.argv]
    began = loop.time()
    child, tally = Child.start(argv, env, cwd), Tally()
    begun(child)
    try:
        async with asyncio.timeout(_START_SECONDS):
            conversation = await (_over_pipes(child, tally) if place is PIPES else _over_http(child, place, tally))
            tools = await _listed(conversation, program.prefixes)
    except TimeoutError as error:
        raise RequestTimeout(f"{argv[0]} did not list its tools within {_START_SECONDS:.0f} s") from error
    except VsmError as error:
        raise TransportError(f"{error.message}: {await child.last_words()}", error.hint) from error
    seconds = loop.time() - began
    return Started(child=child, place=place, conversation=conversation, tally=tally, tools=tools, seconds=seconds)


async def _over_pipes(child: Child, tally: Tally) -> Conversation:
    stdin, stdout = child.take_streams()
    return await Conversation.over(lambda listener: PipeLine.over(stdin, stdout, listener), tally)


async def _over_http(child: Child, place: Place, tally: Tally) -> Conversation:
    """Connect as soon as the program listens."""
    while True:
        try:
            return await Conversation.over(lambda listener: HttpLine.to(place, listener), tally)
        except TransportError:
            if child.exited.done():
                raise
            await asyncio.sleep(_AGAIN_SECONDS)


async def _listed(conversation: Conversation, prefixes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the echo tools, in the order of the prefixes, once all are listed."""
    while True:
        tools = await conversation.tools()
        found = [echo_among(tools, prefix) for prefix in prefixes]
        if all(found):
            return tuple(each[0] for each in found if each)
        await asyncio.sleep(_AGAIN_SECONDS)
