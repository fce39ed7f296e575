from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from vsm_mcp import config
from vsm_mcp.app.keys import MAX_KEYS, KeyCabinet
from vsm_mcp.autopilot.perform import Performer
from vsm_mcp.errors import BadArgument, UnknownKey
from vsm_mcp.events import ActionDecided, Event
from vsm_mcp.model.key import Key, id_of
from vsm_mcp.model.principal import Grant
from vsm_mcp.store import Store


class Cabinet:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.events: list[Event] = []
        self.expelled: list[str] = []
        self.keys = KeyCabinet(
            store.keys, Performer(config.Policy(), store, self.events.append), self.expelled.append, "cli"
        )


@pytest.fixture
async def cabinet(tmp_path: Path) -> AsyncIterator[Cabinet]:
    async with Store(tmp_path / "home") as store:
        made = Cabinet(store)
        await made.keys.load()
        yield made


async def test_a_key_is_shown_once_and_works_at_once(cabinet: Cabinet) -> None:
    made = await cabinet.keys.create("ci", Grant(rate=60, deny_tools=("x__*",)))
    assert made["id"] == id_of(made["key"])
    principal = cabinet.keys.ring.principal(made["key"], time.time())
    assert (principal.name, principal.grant.rate) == ("key:ci", 60)
    (listed,) = (await cabinet.keys.list())["keys"]
    assert {**listed, "key": made["key"]} == made
    again = Cabinet(cabinet.store)
    await again.keys.load()
    assert again.keys.ring.principal(made["key"], time.time()) == principal


async def test_a_revoked_key_opens_nothing_and_its_holder_is_cut_off(cabinet: Cabinet) -> None:
    made = await cabinet.keys.create("ci", Grant())
    before = cabinet.keys.ring.keys
    assert await cabinet.keys.revoke("ci") == {"name": "ci", "revoked": True}
    assert cabinet.keys.ring.keys is not before
    assert cabinet.expelled == ["key:ci"]
    with pytest.raises(Exception, match="revoked"):
        cabinet.keys.ring.principal(made["key"], time.time())
    with pytest.raises(UnknownKey, match="'ci'"):
        await cabinet.keys.revoke("ci")
    assert await cabinet.keys.create("ci", Grant())


async def test_the_journal_and_the_events_tell_who_did_it_but_not_the_key(cabinet: Cabinet) -> None:
    made = await cabinet.keys.create("ci", Grant(concurrency=4))
    await cabinet.keys.revoke("ci")
    created, revoked = await cabinet.store.journal.last()
    assert (created.action, created.subject, created.actor, created.verdict) == ("create_key", "ci", "cli", "allow")
    assert (revoked.action, revoked.subject) == ("revoke_key", "ci")
    assert made["id"] in created.detail
    assert '"concurrency":4' in created.detail
    assert [event.subject for event in cabinet.events if isinstance(event, ActionDecided)] == ["ci", "ci"]
    secret = made["key"].split("_")[2]
    written = b"".join(path.read_bytes() for path in cabinet.store.home.glob("state.db*"))
    assert secret[:16].encode() not in written
    assert secret[:16] not in repr(cabinet.events)


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "x" * 65, "ü", "a\n"])
async def test_names_that_are_not_taken(cabinet: Cabinet, name: str) -> None:
    with pytest.raises(BadArgument):
        await cabinet.keys.create(name, Grant())
    assert await cabinet.store.journal.last() == []


@pytest.mark.parametrize(
    "grant",
    [
        {"rate": -1},
        {"rate": float("nan")},
        {"rate": float("inf")},
        {"concurrency": -1},
        {"expires": 1.0},
        {"allow_tools": ("x" * 201,)},
        {"deny_tools": ("x",) * 101},
    ],
)
async def test_grants_that_make_no_sense(cabinet: Cabinet, grant: dict[str, Any]) -> None:
    with pytest.raises(BadArgument):
        await cabinet.keys.create("ci", Grant(**grant))
    assert (await cabinet.keys.list())["keys"] == []


async def test_a_name_is_taken_once(cabinet: Cabinet) -> None:
    await cabinet.keys.create("ci", Grant())
    with pytest.raises(BadArgument, match="already"):
        await cabinet.keys.create("ci", Grant())


async def test_there_is_an_end_to_the_keys(cabinet: Cabinet) -> None:
    cabinet.keys.ring.replace(Key(id=str(n), name=str(n), digest=b"") for n in range(MAX_KEYS))
    with pytest.raises(BadArgument, match="1000 keys"):
        await cabinet.keys.create("ci", Grant())
