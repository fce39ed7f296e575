from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.discovery.files.sighting import sighted
from vsm_mcp.discovery.screen import screen
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.client_file import Unfit
from vsm_mcp.model.launch import InputKind

SECRET = "5f4dcc3b5aa765d61d8327deb882cf99"


@pytest.mark.parametrize(
    ("entry", "ref"),
    [
        ({"command": "npx", "args": ["-y", "@scope/pkg@1.2.3", "/data"]}, "npm:@scope/pkg@1.2.3"),
        ({"command": "npx", "args": ["pkg", "--api-key", SECRET]}, "npm:pkg"),
        ({"command": "uvx", "args": ["--from", "pkg==1.0", "prog"]}, "pypi:pkg==1.0"),
        ({"command": "docker", "args": ["run", "-i", "--rm", "-e", f"K={SECRET}", "mcp/fetch"]}, "oci:mcp/fetch"),
        ({"command": "docker", "args": ["run", "-v", "/:/host", "mcp/fetch:1"]}, "oci:mcp/fetch:1"),
        ({"command": "npx", "args": ["-y", "mcp-remote", "https://h/mcp"]}, "https://h/mcp"),
        (
            {"command": "npx", "args": ["mcp-remote@latest", "https://h/mcp", "--header", f"X: {SECRET}"]},
            "https://h/mcp",
        ),
        ({"url": "https://h/mcp?mode=read#x"}, "https://h/mcp?mode=read"),
        ({"command": ["python3", "/srv/a b/server.py"]}, "cmd:python3 '/srv/a b/server.py'"),
        ({"command": "node", "args": ["build/index.js", "-v"], "args_": 1}, "cmd:node build/index.js -v"),
    ],
)
def test_which_server_is_named(entry: Any, ref: str) -> None:
    assert str(sighted("one", entry).ref) == ref


def test_a_program_beside_the_file_is_named_whole(tmp_path: Path) -> None:
    (tmp_path / "server.py").touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "other.py").touch()
    entry = {"command": "python3", "args": ["server.py", "other.py", "-s"]}
    assert str(sighted("x", entry, tmp_path).ref) == f"cmd:python3 {tmp_path}/server.py other.py -s"
    entry["cwd"] = str(tmp_path / "sub")
    assert str(sighted("x", entry, tmp_path).ref) == f"cmd:python3 server.py {tmp_path}/sub/other.py -s"


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("npx", "no object"),
        ({}, "neither a command nor a url"),
        ({"command": "x", "args": [1]}, "neither a command nor a url"),
        ({"command": "x", "args": "a b"}, "neither a command nor a url"),
        ({"command": "/usr/bin/vsm-mcp", "args": ["serve"]}, "gateway itself"),
        ({"command": "npx"}, "names no server"),
        ({"command": "docker", "args": ["run", "-i"]}, "names no server"),
        ({"command": "python", "args": ["${workspaceFolder}/s.py"]}, "variables of its client"),
        ({"command": "prog", "args": ["--token", SECRET]}, "held a secret"),
        ({"url": "https://${HOST}/mcp"}, "variables of its client"),
        ({"url": f"https://h/mcp?key={SECRET}"}, "held a secret"),
        ({"url": "https://me:pw@h/mcp"}, "held a secret"),
        ({"url": "http://[h"}, "held a secret"),
        ({"url": "gopher"}, "names no server"),
    ],
)
def test_what_is_no_candidate_says_why(entry: Any, why: str) -> None:
    with pytest.raises(Unfit, match=why) as caught:
        sighted("one", entry)
    assert SECRET not in str(caught.value)


def test_of_variables_and_headers_the_names_are_taken() -> None:
    entry = {"url": "https://h/mcp", "env": {"API_KEY": SECRET, "MODE": "x", "a b": "c"}, "headers": {"X-Id": SECRET}}
    found = sighted("one", entry)
    assert found.launch is not None
    assert [(each.name, each.kind) for each in found.launch.inputs] == [
        ("API_KEY", InputKind.SECRET),
        ("MODE", InputKind.ENV),
        ("X-Id", InputKind.ENV),
    ]
    assert all(each.required is False and each.default == "" for each in found.launch.inputs)


TEXT = st.sampled_from(
    ["npx", "-y", "pkg", "docker", "run", "/x", "https://h/mcp", "a\x1b[31m", "$(id)", ";rm", "../x", ""]
)


@given(
    st.dictionaries(
        st.sampled_from(["command", "args", "env", "url", "headers", "cwd", "description", "notes"]),
        TEXT | st.lists(TEXT, max_size=4) | st.dictionaries(TEXT, st.just(SECRET), max_size=3) | st.none(),
    )
)
def test_no_value_of_a_variable_leaves_its_file(entry: dict[str, Any]) -> None:
    try:
        found: Candidate | None = sighted("one", entry)
    except Unfit:
        return
    kept = screen(found, "clients")
    for candidate in (found, kept):
        assert SECRET.encode() not in msgspec.json.encode(candidate)
