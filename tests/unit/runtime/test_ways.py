from __future__ import annotations

import pytest

from vsm_mcp.model.retry import COMMAND, Retry
from vsm_mcp.runtime import ways
from vsm_mcp.runtime.cause import explain
from vsm_mcp.runtime.surroundings import says_it_listens
from vsm_mcp.sandbox.confinement import Exit

HELP = """Usage: demo [command]

Commands:
  init      Set it up
  server    Starts the MCP server
  start     Starts something else
  doctor    Looks around
"""
DOTNET = """Required command was not provided.

Usage:
  demo [command] [options]

Options:
  -?, -h, --help  Show help and usage information

MCP:
  server                         MCP Server operations
  tools [--all]                  CLI tools operations
                                 and more of them.
"""


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        (HELP, [("server",), ("start",)]),
        (DOTNET, [("server",)]),
        ("usage: demo [-h] {stdio,http} ...\ndemo: error: the following arguments are required: command", [("stdio",)]),
        ("Commands:\n  build  Build it\n  deploy  Deploy it\n", []),
    ],
)
def test_a_help_names_the_commands_that_are_likely_to_serve(text: str, arguments: list[tuple[str, ...]]) -> None:
    cause = explain(Exit(code=1), text.splitlines())
    assert cause.code == "missing_arg"
    assert [each.arguments for each in cause.remedies] == arguments
    assert cause.inputs == COMMAND


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("Usage: demo [options]\n  --stdio  speak over the standard streams\n", [("--stdio",)]),
        ("usage: demo [-h] [--transport {http,stdio}]\n", [("--transport", "stdio")]),
        ("  --mode <mode>   how it runs\n                  (stdio or sse)\n", [("--mode", "stdio")]),
        ("  --transport-type {stdio,sse}", [("--transport-type", "stdio")]),
        ("  --transport-port N   not for stdio", []),
        ("Starting in stdio mode", []),
        ("--transport-layer must be tcp", []),
    ],
)
def test_a_help_names_the_switch_for_standard_streams(text: str, arguments: list[tuple[str, ...]]) -> None:
    assert [each.arguments for each in ways.by_switch(text)] == arguments


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        (
            "INFO:     Uvicorn running on http://0.0.0.0:8000 (Press CTRL+C to quit)",
            ["http://127.0.0.1:8000/mcp", "http://127.0.0.1:8000/sse"],
        ),
        ("SSE server listening on port 3001", ["http://127.0.0.1:3001/sse", "http://127.0.0.1:3001/mcp"]),
        ("Serving at http://localhost:9000/api/mcp.", ["http://127.0.0.1:9000/api/mcp"]),
        ("docs at http://localhost:9000/, MCP at http://localhost:9000/mcp/", ["http://127.0.0.1:9000/mcp"]),
        ("ready on ws://127.0.0.1:7777/ws", ["ws://127.0.0.1:7777/ws"]),
        ("see https://example.com:8000/mcp", []),
        ("listening on port 99999", []),
        ("Web dashboard running on http://127.0.0.1:24282/dashboard/index.html", []),
        ("running", []),
    ],
)
def test_a_program_says_where_it_listens(text: str, urls: list[str]) -> None:
    assert list(ways.by_address(text)) == [Retry(listens=url) for url in urls]


@pytest.mark.parametrize(
    ("text", "constraints"),
    [
        ("Install them with:  pip install 'boolean-algebra-engine[cli]'", ["boolean-algebra-engine[cli]"]),
        ("uv pip install -U demo[mcp] or pip install demo[mcp]", ["demo[mcp]"]),
        ("uv tool run --from 'demo[mcp]' demo", ["demo[mcp]"]),
        ("pip install 'mcp[cli]'", []),
        ("see docs[mcp]", []),
    ],
)
def test_a_text_names_the_extra_that_is_lacking(text: str, constraints: list[str]) -> None:
    assert [each.constraints for each in ways.by_extra(text)] == [(each,) for each in constraints]
    assert [each.constraints for each in explain(Exit(code=1), [text]).remedies] == [(each,) for each in constraints]


def test_one_that_listens_is_told_from_one_that_speaks_of_ports() -> None:
    assert says_it_listens(["starting", "Server listening on http://127.0.0.1:8080"])
    assert not says_it_listens(["Server listening"])
    assert not says_it_listens(["port 8080 is free"])


def test_a_program_that_listens_is_to_be_reached_there() -> None:
    cause = explain(None, ["Server running on http://127.0.0.1:8080/mcp"], timeout=60)
    assert cause.code == "not_a_server"
    assert cause.remedies == (Retry(listens="http://127.0.0.1:8080/mcp"),)


def test_how_it_is_tried_again_can_be_said() -> None:
    assert str(Retry(constraints=("@release", "mcp<2"))) == "dependencies as of its release mcp<2"
    assert str(Retry(arguments=("server", "start"))) == "server start"
    assert str(Retry(listens="http://127.0.0.1:1/mcp")) == "--listens http://127.0.0.1:1/mcp"
