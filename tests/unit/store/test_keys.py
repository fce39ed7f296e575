from __future__ import annotations

import secrets
import sqlite3
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path

import pytest

from vsm_mcp.errors import StoreError
from vsm_mcp.model.key import ENTROPY, Key, digest_of, id_of, mint
from vsm_mcp.model.principal import Grant
from vsm_mcp.store import Store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(tmp_path / "home") as opened:
        yield opened


def a_key(name: str, text: str = "", **grant: object) -> Key:
    text = text or mint(secrets.token_bytes(ENTROPY))
    return Key(id=id_of(text), name=name, digest=digest_of(text), grant=Grant(**grant), created=1.5)  # type: ignore[arg-type]


async def test_keys_come_back_as_they_were_put(store: Store) -> None:
    first = a_key("ci", profiles=("web",), rate=60.0, expires=9e9)
    second = a_key("a", deny_tools=("x__*",), concurrency=2, max_body_bytes=10, burst=3)
    await store.keys.add(first)
    await store.keys.add(second)
    assert await store.keys.all() == [second, first]
    assert await store.keys.remove("ci") is True
    assert await store.keys.remove("ci") is False
    assert await store.keys.all() == [second]


async def test_a_name_and_an_id_are_taken_once(store: Store) -> None:
    text = mint(secrets.token_bytes(ENTROPY))
    await store.keys.add(a_key("ci", text))
    for other in (a_key("ci"), a_key("other", text)):
        with pytest.raises(StoreError, match="already"):
            await store.keys.add(other)
    assert len(await store.keys.all()) == 1


async def test_the_key_itself_is_not_in_the_database(store: Store) -> None:
    text = mint(secrets.token_bytes(ENTROPY))
    await store.keys.add(a_key("ci", text))
    written = b"".join(path.read_bytes() for path in store.home.glob("state.db*"))
    assert text.split("_")[2].encode() not in written
    assert digest_of(text) in written


async def test_a_home_of_the_first_schema_gets_the_table(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    first = resources.files("vsm_mcp.store").joinpath("migrations", "0001_initial.sql").read_text("utf-8")
    with sqlite3.connect(tmp_path / "home" / "state.db") as connection:
        connection.executescript(f"{first}; PRAGMA user_version=1;")
    connection.close()
    async with Store(tmp_path / "home") as store:
        await store.keys.add(a_key("ci"))
        assert [key.name for key in await store.keys.all()] == ["ci"]
