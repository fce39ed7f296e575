from __future__ import annotations

from pathlib import Path

import pytest

from vsm_mcp.config import load
from vsm_mcp.discovery.catalogue import CatalogueSource, entries
from vsm_mcp.discovery.installed import InstalledSource
from vsm_mcp.discovery.wiring import build_sources, matcher
from vsm_mcp.errors import ConfigError
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.launch import Entry, InputKind, Settings
from vsm_mcp.model.ref import Ref, RefKind
from vsm_mcp.model.server import Installation, Server

FILE = """
title = "Time"
[[server]]
ref = "pypi:time-server"
name = "time"
description = "Tell the time and convert between time zones"
tags = ["time.timezones"]
network = false
terms = ["get_current_time", "IANA"]
args = ["--local"]
inputs = [{ kind = "secret", name = "TIME_KEY", purpose = "key", required = true }]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "time.toml").write_text(FILE, "utf-8")
    (tmp_path / "notes.txt").write_text("not a file of the catalogue", "utf-8")
    return tmp_path


def test_an_entry_is_read_whole(folder: Path) -> None:
    (entry,) = entries(folder)
    assert str(entry.ref) == "pypi:time-server"
    assert entry.curated
    assert entry.launch is not None
    assert entry.launch.args == ("--local",)
    assert entry.launch.network is False
    assert (entry.launch.inputs[0].kind, entry.launch.inputs[0].required) == (InputKind.SECRET, True)


@pytest.mark.parametrize(
    "text",
    ["[[server", '[[server]]\nref = "npm:x"', FILE.replace("pypi:", "nix:"), FILE.replace('"secret"', '"magic"')],
)
def test_a_broken_file_is_named(folder: Path, text: str) -> None:
    (folder / "broken.toml").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=r"broken\.toml"):
        entries(folder)


async def test_a_need_finds_entries_by_word_and_by_tag(folder: Path) -> None:
    source = CatalogueSource(matcher(), folder)
    for need in ("convert time", "utc offset of a city", "iana"):
        assert [each.name for each in await source.search(need, 5)] == ["time"], need
    assert await source.search("teleport a banana", 5) == []
    assert [each.name for each in await source.about([Ref(RefKind.PYPI, "Time_Server"), Ref(RefKind.NPM, "x")])] == [
        "time"
    ]


def server(name: str, *, quarantined: bool = False) -> Server:
    ref = Ref(RefKind.NPM, name)
    entry = Entry(argv=("/x",), runtime="node")
    kept = Installation(server=name, ref=ref, version="1.0.0", path="/x", entry=entry)
    return Server(name=name, ref=ref, version="1.0.0", installation=kept, settings=Settings(), quarantined=quarantined)


async def test_what_is_installed_is_offered_with_the_words_of_its_tools() -> None:
    tool = Definition(kind=ItemKind.TOOL, name="zip_files", raw=b"{}", description="Pack files")
    source = InstalledSource(
        lambda: [server("zip"), server("bad", quarantined=True)], lambda _name: Offer(items=(tool,))
    )
    (found,) = await source.search("pack files", 5)
    assert found.installed
    assert (found.name, found.terms, found.text, found.facts.version) == ("zip", "zip_files", "Pack files", "1.0.0")
    assert found.tools == (("zip_files", "Pack files"),)


def test_the_sources_of_the_configuration_are_built_in_its_order(tmp_path: Path) -> None:
    built = build_sources(load(tmp_path, {"VSM_MCP_DISCOVERY_SOURCES": "index,catalogue"}))
    assert [source.name for source in built] == ["index", "catalogue"]
    with pytest.raises(ConfigError, match="nowhere"):
        build_sources(load(tmp_path, {"VSM_MCP_DISCOVERY_SOURCES": "nowhere"}))
