from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from vsm_mcp.config import load
from vsm_mcp.discovery.files.kits import FOLDER, build, find_kits, kit_folders, look
from vsm_mcp.discovery.files.magg import Listed, listed, read_list
from vsm_mcp.discovery.source import Context
from vsm_mcp.discovery.wiring import matcher
from vsm_mcp.errors import InstallFailed, ProtocolError

SECRET = "5f4dcc3b5aa765d61d8327deb882cf99"


def kit(folder: Path, stem: str, **servers: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    document = {"name": "K", "description": "Read the weather", "keywords": ["forecast"], "servers": servers}
    (folder / f"{stem}.json").write_text(json.dumps(document))
    return folder / f"{stem}.json"


def test_where_kits_are_looked_for(tmp_path: Path) -> None:
    home = tmp_path / "home"
    plain = kit_folders(home, {"HOME": "/me"})
    assert [str(folder) for folder in plain] == [f"{home}/kit.d", ".magg/kit.d", "/me/.magg/kit.d"]
    given = {"HOME": "/me", "MAGG_PATH": f"/a{os.pathsep}~/b{os.pathsep}", "MAGG_CONFIG_PATH": "/etc/magg/config.json"}
    assert [str(folder) for folder in kit_folders(home, given, ["~/mine"])] == [
        *(f"{home}/kit.d", "/me/mine", "/etc/magg/kit.d", "/a/kit.d", "/me/b/kit.d")
    ]


def test_the_kits_that_magg_ships_are_found_beside_its_program(tmp_path: Path) -> None:
    shipped = tmp_path / "venv" / "lib" / "python3.12" / "site-packages" / "magg" / "contrib" / FOLDER
    kit(shipped, "example")
    program = tmp_path / "venv" / "bin" / "magg"
    program.parent.mkdir()
    program.write_text("#!/bin/false")
    program.chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "magg").symlink_to(program)
    assert kit_folders(tmp_path, {"PATH": str(tmp_path / "bin")})[-1] == shipped


def test_the_first_of_two_kits_with_one_name_counts(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    kit(first, "web", one={"command": "npx", "args": ["first"]})
    kit(second, "web", one={"command": "npx", "args": ["second"]})
    kit(second, "more", one={"command": "npx", "args": ["third"]})
    shelf = find_kits([first, second, tmp_path / "nowhere"])
    assert {stem: path.parent for stem, (_, path) in shelf.kits.items()} == {"web": first, "more": second}
    assert shelf.troubles == []


def test_the_servers_of_kits_are_candidates(tmp_path: Path) -> None:
    kit(
        tmp_path,
        "weather",
        plain={"source": "https://github.com/a/b", "command": "uvx", "args": ["w-mcp"], "notes": "Hourly weather"},
        own={"source": "https://h", "command": "sh", "args": ["-c", "id"], "x-vsm-mcp": {"ref": "npm:w2@1.0"}},
        keyed={"source": "s", "uri": "https://h/mcp", "transport": {"headers": {"X-Key": SECRET}}},
        off={"source": "s", "command": "npx", "args": ["off"], "enabled": False},
        bad={"source": "s", "command": "npx", "x-vsm-mcp": {"ref": "nix:x"}},
        worse={"source": "s"},
        words="npx evil",
    )
    finds = look([tmp_path])
    found = {each.name: each for each in finds.candidates}
    assert {name: str(each.ref) for name, each in found.items()} == {
        "plain": "pypi:w-mcp",
        "own": "npm:w2@1.0",
        "keyed": "https://h/mcp",
    }
    assert found["plain"].description == "Hourly weather"
    assert found["own"].description == "Read the weather"
    assert found["own"].terms == "K Read the weather forecast"
    assert (found["plain"].facts.repository, found["own"].facts.homepage) == ("https://github.com/a/b", "https://h")
    assert [trouble.split(": ", 2)[1] for trouble in finds.troubles] == ["bad", "worse", "words"]
    assert SECRET.encode() not in msgspec.json.encode(finds.candidates)


def test_a_kit_that_cannot_be_read_costs_the_others_nothing(tmp_path: Path) -> None:
    kit(tmp_path, "good", one={"command": "npx", "args": ["one"]})
    (tmp_path / "cut.json").write_text('{"servers": {')
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "no kit.json").write_text('{"servers": {}}')
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "notes.txt").write_text("no kit")
    finds = look([tmp_path])
    assert [str(each.ref) for each in finds.candidates] == ["npm:one"]
    assert len(finds.troubles) == 5


async def test_the_source(tmp_path: Path) -> None:
    kit(tmp_path / "home" / FOLDER, "weather", one={"command": "uvx", "args": ["w-mcp"]})
    source = build(Context(load(tmp_path / "home", {"HOME": str(tmp_path)}), matcher()))
    assert [str(each.ref) for each in await source.search("weather", 5)] == ["pypi:w-mcp"]


@pytest.mark.parametrize("before", [b"", b"12:00 INFO magg: hello\n"])
def test_what_magg_lists(before: bytes) -> None:
    said = b'{"kits": {"a": {"path": "/a.json", "loaded": true, "servers": ["x"]}, "gone": {"path": null}}}'
    assert read_list(before + said) == {"a": Listed("/a.json", loaded=True, servers=["x"]), "gone": Listed()}


@pytest.mark.parametrize("said", [b"", b"[]", b"{}", b'{"kits": []}', b"hello", b'{"kits": {"a": 1}}', b"\n{"])
def test_what_is_no_list(said: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_list(said)


async def test_magg_is_asked_with_the_variables_that_it_needs(tmp_path: Path) -> None:
    program = tmp_path / "magg"
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        "print('a line of log')\n"
        "print(json.dumps({'kits': {name: {} for name in [*sys.argv[1:], *os.environ]}}))\n"
    )
    program.chmod(0o755)
    found = await listed({"PATH": f"{tmp_path}:/usr/bin:/bin", "MAGG_PATH": "/x", "SECRET_KEY": SECRET})
    assert {"kit", "list", "--json", "MAGG_PATH", "PATH"} <= set(found)
    assert "SECRET_KEY" not in found


async def test_without_magg() -> None:
    with pytest.raises(InstallFailed):
        await listed({"PATH": "/nowhere"})
