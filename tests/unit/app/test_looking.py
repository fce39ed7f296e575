"""A home that is opened to look for servers only answers as the whole of it does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vsm_mcp.app import App
from vsm_mcp.app.finding import both
from vsm_mcp.app.looking import Looking
from vsm_mcp.config import Config
from vsm_mcp.errors import NothingFound
from vsm_mcp.model.discovery import Discovery
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.model.wants import Appraising, Wants
from vsm_mcp.store import Store

OFFLINE = Discovery(sources=("installed", "catalogue"), describe_best=0)


def asked(need: str, **wants: object) -> bytes:
    return json.dumps({"need": need, "limit": 3, "wants": wants}).encode()


async def test_it_finds_what_an_app_finds(tmp_path: Path) -> None:
    config = Config(home=tmp_path, discovery=OFFLINE, appraisal=Appraising(priority="security_critical"))
    async with Looking(config) as looking:
        found = await looking.operate("search", asked("query a sqlite database"))
    async with App.open(config, for_operation="search") as app:
        same = await app.search("query a sqlite database", 3)
    assert [row["ref"] for row in found["candidates"]] == [row["ref"] for row in same["candidates"]]
    assert found["weights"] == same["weights"]
    assert found["wants"]["priority"] == "security_critical"
    async with Looking(config) as looking:
        with pytest.raises(NothingFound):
            await looking.operate("search", asked("teleport a banana"))


async def test_where_nothing_meets_the_need_the_nearest_are_named(tmp_path: Path) -> None:
    config = Config(home=tmp_path, discovery=Discovery(sources=("index",), describe_best=0))
    async with Looking(config) as looking:
        with pytest.raises(NothingFound) as failed:
            await looking.operate("search", asked("show my monthly weight as a line going up or down"))
        assert failed.value.hint.startswith("nearest, below 0.3: ")
        assert "chart" in failed.value.hint
        with pytest.raises(NothingFound) as failed:
            await looking.operate("search", asked("carry the sofa upstairs"))
        assert failed.value.hint == NothingFound.remedy


@pytest.mark.parametrize(("hosts", "found"), [((), True), (("h.example",), False)])
async def test_an_installed_server_is_known_by_what_it_was_granted(
    tmp_path: Path, hosts: tuple[str, ...], found: bool
) -> None:
    config = Config(home=tmp_path, discovery=OFFLINE)
    ref = parse_ref("pypi:own-inhouse-thing==1.0.0")
    installation = Installation(
        server="frobnicator", ref=ref, version="1.0.0", path="/x", entry=Entry(argv=("true",), runtime="python")
    )
    server = Server(
        name="frobnicator",
        ref=ref,
        version="1.0.0",
        installation=installation,
        settings=Settings(hosts=hosts),
        description="Frobnicates widgets of the factory.",
        transport="stdio",
        era="legacy",
    )
    async with Store(tmp_path) as store:
        await store.servers.put(server)
    async with Looking(config) as looking:
        need = asked("frobnicate widgets of the factory", offline=True)
        if not found:
            with pytest.raises(NothingFound, match="meets what is required") as caught:
                await looking.operate("search", need)
            assert "left out by --offline" in caught.value.hint
            return
        (row,) = (await looking.operate("search", need))["candidates"]
    facts = [fact["text"] for fact in row["criteria"]["compatibility"]["facts"]]
    assert {"needs no key", "works without the network", "speaks over stdio"} <= set(facts)
    assert row["reasons"][0] == "installed already"


async def test_two_things_end_before_either_error_is_raised() -> None:
    ended: list[str] = []

    async def wrong(word: str) -> None:
        ended.append(word)
        raise ValueError(word)

    with pytest.raises(ValueError, match="one"):
        await both(wrong("one"), wrong("other"))
    assert ended == ["one", "other"]
    assert Wants().requirements == ()
