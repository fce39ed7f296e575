"""What ``vsm-mcp bench`` refuses before it measures anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from vsm_mcp.cli.bench_command import command

HERE = "http://127.0.0.1:1/mcp"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--url", "http://example.invalid/mcp"], "say so with --yes"),
        (["--url", "127.0.0.1:8765"], "no URL of an endpoint"),
        (["--url", HERE, "--args", "{}"], "--args goes with --tool"),
        (["--url", HERE, "--tool", "x", "--args", "{"], "--args is no JSON"),
        (["--url", HERE, "--tool", "x", "--args", "[]"], "--args is no JSON object"),
        (["--url", HERE, "--bearer", "NOT_SET_ANYWHERE_4711"], "there is no variable NOT_SET_ANYWHERE_4711"),
        (["--tool", "x"], "--tool goes with --url"),
        (["--yes"], "--yes goes with --url"),
        (["--sizes", "31"], "not in the range"),
        (["--sizes", "100,x"], "not a valid integer"),
        (["--sizes", ""], "not a valid integer"),
        (["--clients", "513"], "not in the range"),
        (["--clients", "1,2,3,4,5,6,7,8,9"], "at most 8 numbers"),
        (["--seconds", "nan"], "no number of seconds"),
        (["--rounds", "0"], "not in the range"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(words: list[str], said: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(command, [*words, "--json"], env={"VSM_MCP_HOME": str(tmp_path)})
    assert done.exit_code == 2, done.output
    assert said in done.output.replace("\n", " ")


def test_an_endpoint_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    done = CliRunner().invoke(command, ["--url", HERE, "--json"], env={"VSM_MCP_HOME": str(tmp_path)})
    assert done.exit_code == 5, done.output
    assert '"code": "transport"' in done.output
