from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from vsm_mcp.errors import HomeBusy, HomeError, StoreError, UnknownServer
from vsm_mcp.model.action import Action, ActionKind, Decision, Verdict
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import Ref, RefKind, parse_ref
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.store import HomeLock, Store
from vsm_mcp.store.journal import Wanted
from vsm_mcp.store.sagas import Plan


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(tmp_path / "home") as opened:
        yield opened


def a_server(name: str = "time", secret: str = "s3cr3t-4711") -> Server:
    ref = parse_ref("pypi:mcp-server-time==1.0")
    installation = Installation(
        server=name, ref=ref, version="1.0", path="/x", entry=Entry(argv=("/x/bin/python",), runtime="python")
    )
    return Server(
        name=name,
        ref=ref,
        version="1.0",
        installation=installation,
        settings=Settings(env={"A": "1"}, secrets={"KEY": secret}),
    )


async def test_a_server_comes_back_as_it_was_put_less_its_secrets(store: Store) -> None:
    offer = Offer(items=(Definition(kind=ItemKind.TOOL, name="t", raw=b'{"name":"t","x":1.0}'),))
    await store.servers.put(a_server(), offer, {"tool:t": "abc"})
    found = await store.servers.get("time")
    assert found == msgspec.structs.replace(a_server(), settings=Settings(env={"A": "1"}))
    assert (await store.servers.offers())["time"] == offer
    assert await store.servers.pins("time") == {"tool:t": "abc"}


async def test_what_was_seen_of_a_server_is_remembered(store: Store) -> None:
    await store.servers.put(a_server())
    await store.servers.mark_stateful("time")
    await store.servers.mark_stateful("gone")
    found = await store.servers.get("time")
    assert found == msgspec.structs.replace(a_server(), settings=Settings(env={"A": "1"}), observed_stateful=True)
    assert [server.name for server in await store.servers.all()] == ["time"]


async def test_a_server_written_before_there_were_processes_for_sessions_is_read(store: Store) -> None:
    await store.servers.put(a_server())
    body = msgspec.json.decode(msgspec.json.encode(await store.servers.get("time")))
    del body["observed_stateful"]
    for later in ("stateful", "lazy", "idle_stop_seconds"):
        del body["settings"][later]
    with sqlite3.connect(store.home / "state.db") as database:
        database.execute("UPDATE server SET body = ?", (msgspec.json.encode(body),))
    database.close()
    assert await store.servers.get("time") == msgspec.structs.replace(a_server(), settings=Settings(env={"A": "1"}))


async def test_no_secret_reaches_the_database_file(store: Store) -> None:
    await store.servers.put(a_server(secret="needle-in-the-file"))
    written = b"".join(path.read_bytes() for path in store.home.glob("state.db*"))
    assert b"needle-in-the-file" not in written


async def test_secrets_are_readable_by_their_owner_only(store: Store) -> None:
    store.secrets.put("a1", {"KEY": "v"})
    (file,) = (store.home / "secrets").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert store.secrets.of("a1") == {"KEY": "v"}
    store.secrets.remove("a1")
    store.secrets.remove("a1")
    assert store.secrets.of("a1") == {}


async def test_an_unknown_server_is_named(store: Store) -> None:
    with pytest.raises(UnknownServer, match="'nobody'"):
        await store.servers.get("nobody")


async def test_removing_a_server_takes_its_offer_and_pins_along(store: Store) -> None:
    await store.servers.put(a_server(), Offer(), {"tool:t": "abc"})
    await store.servers.remove("time")
    await store.servers.remove("time")
    assert await store.servers.all() == []
    assert await store.servers.offers() == {}
    assert await store.servers.pins("time") == {}


async def test_an_offer_of_a_server_that_is_gone_is_not_kept(store: Store) -> None:
    await store.servers.put_offer("gone", Offer())
    assert await store.servers.offers() == {}


@pytest.mark.parametrize("sql", ["UPDATE journal SET actor = 'x'", "DELETE FROM journal", "DELETE FROM evidence"])
async def test_journal_and_evidence_are_append_only(store: Store, sql: str) -> None:
    action = Action(kind=ActionKind.ADD, subject="npm:x", actor="cli")
    await store.journal.append(action, Decision(verdict=Verdict.ALLOW, rule="r", reason=""))
    await store.evidence.add("a1", "step", {"x": 1})
    with sqlite3.connect(store.path) as connection, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(sql)
    connection.close()


async def test_evidence_keeps_its_order(store: Store) -> None:
    for number in range(5):
        await store.evidence.add("a1", "step", {"n": number})
    assert [record["body"]["n"] for record in await store.evidence.of("a1")] == [0, 1, 2, 3, 4]
    assert await store.evidence.of("other") == []


async def test_an_unfinished_saga_is_found_again_with_its_plan(store: Store) -> None:
    plan = Plan(server="time", version="1.0", previous="0.9")
    await store.sagas.begin("a1", "npm:x")
    await store.sagas.step("a1", "build", plan)
    await store.sagas.begin("a2", "npm:y")
    await store.sagas.end("a2", "undone")
    (saga,) = await store.sagas.unfinished()
    assert (saga.id, saga.step, saga.plan) == ("a1", "build", plan)


async def test_a_failing_transaction_leaves_nothing(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        with pytest.raises(StoreError, match="not supported"):
            await store.servers.put(a_server(), Offer(), {"tool:t": object()})  # type: ignore[dict-item]
        assert await store.servers.all() == []


async def test_the_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    async with Store(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StoreError, match="newer version"):
        await Store(tmp_path).__aenter__()


async def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"no database at all, but long enough to look like one" * 100)
    with pytest.raises(StoreError, match="damaged"):
        await Store(tmp_path).__aenter__()


async def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="cannot be made"):
        await Store(tmp_path / "file" / "home").__aenter__()


async def test_the_cache_forgets_what_is_old(store: Store) -> None:
    await store.cache.put("k", b"1")
    assert await store.cache.drop(older_than=3600.0) == 0
    assert await store.cache.drop(older_than=-1.0) == 1
    assert await store.cache.get("k") is None


async def test_the_cache_knows_the_age_of_what_it_keeps(store: Store) -> None:
    assert await store.cache.get("k") is None
    await store.cache.put("k", b"1")
    await store.cache.put("k", b"2")
    found = await store.cache.get("k")
    assert found is not None
    assert found[0] == b"2"
    assert 0 <= found[1] < 60


async def test_the_lock_of_a_home_has_one_holder_and_names_it(tmp_path: Path) -> None:
    async with HomeLock(tmp_path):
        with pytest.raises(HomeBusy, match=f"pid {os.getpid()}"):
            await HomeLock(tmp_path).acquire()
    async with HomeLock(tmp_path):
        pass


async def test_the_lock_dies_with_its_holder(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys, pathlib\nfrom vsm_mcp.store import HomeLock\n"
        "asyncio.run(HomeLock(pathlib.Path(sys.argv[1])).acquire())\nprint('held', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(HomeBusy, match=f"pid {holder.pid}"):
            await HomeLock(tmp_path).acquire()
        holder.kill()
        holder.wait(10)
        async with HomeLock(tmp_path):
            pass


def test_references_are_kept_exactly() -> None:
    assert msgspec.json.decode(msgspec.json.encode(Ref(RefKind.NPM, "@a/b", "1")), type=Ref) == Ref(
        RefKind.NPM, "@a/b", "1"
    )


async def test_a_new_home_may_be_opened_by_many_at_once(tmp_path: Path) -> None:
    async def open_one(home: Path) -> int:
        async with Store(home) as opened:
            return len(await opened.servers.all())

    for number in range(10):
        opening = (open_one(tmp_path / f"home-{number}") for _ in range(6))
        assert await asyncio.gather(*opening) == [0] * 6


async def test_the_key_of_a_home_is_kept(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        key = store.secrets.own_key()
        assert len(key) == 32
        assert store.secrets.own_key() == key
    kept = tmp_path / "secrets" / "gateway.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    async with Store(tmp_path) as store:
        assert store.secrets.own_key() == key
        kept.write_text("rubbish")
        assert store.secrets.own_key() != key


async def test_the_journal_is_filtered_and_read_page_by_page(store: Store) -> None:
    for number in range(6):
        kind = ActionKind.ADD if number % 2 else ActionKind.REMOVE
        action = Action(kind=kind, subject=f"npm:{number}_%", actor="cli" if number < 4 else "agent")
        verdict = Verdict.DENY if number == 3 else Verdict.ALLOW
        await store.journal.append(action, Decision(verdict=verdict, rule="r", reason=""))

    async def found(limit: int = 10, **wanted: Any) -> list[str]:
        return [entry.subject[4] for entry in await store.journal.last(limit, Wanted(**wanted))]

    assert await found() == list("012345")
    assert await found(actor="agent") == ["4", "5"]
    assert await found(action="add") == ["1", "3", "5"]
    assert await found(verdict="deny") == ["3"]
    assert await found(subject="npm:4") == ["4"]
    assert await found(subject="npm:%") == [], "patterns mean themselves"
    assert await found(since=9e9) == []
    page = await store.journal.last(2)
    assert [entry.subject[4] for entry in page] == ["4", "5"]
    assert await found(2, before=page[0].id) == ["2", "3"]
    assert await found(actor="agent", action="add", before=page[0].id) == []
