from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.errors import BadReference
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.runners import meant


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("npx -y time-mcp", "npm:time-mcp"),
        ("npx -y @scope/server@1.2.3 --root /x", "npm:@scope/server@1.2.3 --arg=--root --arg=/x"),
        ("npx --yes --package=@scope/server@latest server-bin stdio", "npm:@scope/server --arg=stdio"),
        ("/usr/bin/npx -- time-mcp", "npm:time-mcp"),
        ("npm exec -y time-mcp", "npm:time-mcp"),
        ("uvx mcp-server-time --local-timezone 'A B'", "pypi:mcp-server-time --arg=--local-timezone --arg='A B'"),
        ("uvx --python 3.12 mcp-server-time==2026.1", "pypi:mcp-server-time==2026.1"),
        ("uvx --from mcp-server[cli]@1.0 run-it", "pypi:mcp-server==1.0"),
        ("pipx run markitdown-mcp", "pypi:markitdown-mcp"),
        ("uv tool run markitdown-mcp", "pypi:markitdown-mcp"),
        ("npx -y github:somebody/something", "npm:NAME"),
        ("npx", "npm:NAME"),
    ],
)
def test_a_runner_is_named_by_its_package(command: str, expected: str) -> None:
    with pytest.raises(BadReference) as caught:
        parse_ref(f"cmd:{command}")
    assert caught.value.hint == f"name the package: vsm-mcp add {expected}"


@pytest.mark.parametrize("command", ["python -m server", "node server.js", "uv run server.py", "npm start", "mynpx x"])
def test_other_commands_are_taken_as_they_are(command: str) -> None:
    assert parse_ref(f"cmd:{command}").name == command


def test_a_quote_that_does_not_end_is_refused() -> None:
    with pytest.raises(BadReference, match="not a command line"):
        parse_ref("cmd:python 'server.py")


@given(st.lists(st.text(max_size=12), max_size=6))
def test_any_words_are_read(words: list[str]) -> None:
    assert meant(["npx", *words]).startswith("vsm-mcp add npm:")
