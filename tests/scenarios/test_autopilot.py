"""What an agent lacks and gets, what a person at a client agrees to, what the autopilot does by itself, and what it may
not do: the whole program, real servers, clients of both eras."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from tests.scenarios.homes import FAULTY, Home

from vsm_mcp.autopilot.gaps import key_of, stems_of
from vsm_mcp.model.need import Past, Proposal

pytestmark = pytest.mark.slow

ERAS = ["legacy", "2026-07-28"]
PDF = "list and read PDF files"
TIME = "what time is it in another timezone"


def settings(home: Home, **sections: Mapping[str, Any]) -> None:
    home.path.mkdir(exist_ok=True)
    lines = []
    for section, fields in sections.items():
        lines += [f"[{section}]", *(f"{name} = {json.dumps(value)}" for name, value in fields.items())]
    (home.path / "vsm-mcp.toml").write_text("\n".join(lines))


async def acquired(client: Any, need: str) -> dict[str, Any]:
    """Ask for a capability until it is there, or is not going to be."""
    while True:
        result = await client.call_tool("acquire_capability", {"need": need})
        found: dict[str, Any] = result.structured_content
        if found["outcome"] != "working":
            return found


def journal(home: Home, actor: str) -> list[tuple[str, str, str]]:
    rows = home.run("journal", "--limit", "500").document["entries"]
    return [(row["action"], row["verdict"], row["subject"]) for row in rows if row["actor"] == actor]


@pytest.mark.timeout(300)
async def test_agents_without_a_pdf_tool_get_one_and_call_it(home: Home) -> None:
    """One agent of each era; they lack the same, ask at the same time, and each goes on in its own conversation."""
    from mcp import Client, MCPError

    settings(home, policy={"autonomy": "guarded"})
    url = home.serve()

    async def one(era: str) -> None:
        async with Client(url, mode=era, read_timeout_seconds=120) as client:
            with pytest.raises(MCPError):
                await client.call_tool("pdf__list_pdfs", {})
            found = await acquired(client, PDF)
            assert found["outcome"] == "served", found
            assert found["tools"][0].startswith("pdf__"), found
            result = await client.call_tool("pdf__list_pdfs", {})
            assert not result.is_error, result

    await asyncio.gather(*map(one, ERAS))
    assert [row[:2] for row in journal(home, "agent")] == [("acquire", "allow")]
    document = home.run("gaps").document
    met = {row["need"]: row for row in document["met_needs"]}
    assert met["pdf list pdfs"]["sources"] == {"call": 1}
    assert met["pdf list pdfs"]["by"].startswith("pdf__")
    assert document["ratio"] == document["met"] / document["demanded"] > 0


@pytest.mark.timeout(300)
async def test_a_person_agrees_through_the_client_in_the_very_call(home: Home) -> None:
    """The same, where the policy asks: each client asks its person, within the call of its era."""
    from mcp import Client
    from mcp.types import ElicitResult

    url = home.serve()

    async def one(era: str) -> None:
        asked: list[str] = []

        async def yes(_context: Any, params: Any) -> Any:
            asked.append(params.message)
            return ElicitResult(action="accept", content={"install": True})

        callback: Any = yes
        async with Client(url, mode=era, elicitation_callback=callback, read_timeout_seconds=120) as client:
            found = await acquired(client, TIME)
            assert found["outcome"] == "served", found
            assert len(asked) == 1
            assert TIME in asked[0]
            assert found["ref"].partition("==")[0].partition("@")[0] in asked[0]
            assert "network off" in asked[0]

    await asyncio.gather(*map(one, ERAS))
    assert [row[:2] for row in journal(home, "agent")] == [("acquire", "ask")]
    assert {row[:2] for row in journal(home, "person via local")} == {("acquire", "allow")}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("era", ERAS)
async def test_a_no_through_the_client_is_kept_until_a_person_takes_it_back(home: Home, era: str) -> None:
    from mcp import Client
    from mcp.types import ElicitResult

    asked: list[str] = []

    async def no(_context: Any, params: Any) -> Any:
        asked.append(params.message)
        return ElicitResult(action="decline")

    callback: Any = no
    url = home.serve()
    async with Client(url, mode=era, elicitation_callback=callback, read_timeout_seconds=60) as client:
        found = await acquired(client, TIME)
        assert (found["outcome"], found["message"]) == ("rejected", "a person said no")
        home.until(lambda: home.run("gaps").document["gaps"][0]["denied_by"] == "person via local")
        again = await acquired(client, f"tell me {TIME}")
        assert again["outcome"] == "rejected"
        assert "said no" in again["message"]
        assert len(asked) == 1
        assert home.run("gaps", "--allow", TIME).document["allowed"] is True
        await acquired(client, TIME)
        assert len(asked) == 2
    assert home.run("list").document["servers"] == []


@pytest.mark.timeout(300)
def test_the_autopilot_closes_a_declared_gap_by_itself_and_counts_what_it_took(home: Home) -> None:
    settings(
        home, policy={"autonomy": "guarded"}, autopilot={"every_seconds": 0.5, "needs": [TIME], "installs_per_day": 1}
    )
    home.serve()
    home.until(lambda: "ServerAdded" in home.said, 180)  # to ask the daemon all the time would slow it down
    document = home.until(lambda: (found := home.run("gaps").document)["met"] and found)
    (server,) = home.run("list").document["servers"]
    assert document["met_needs"][0]["sources"] == {"declared": 1}
    assert document["budget"]["installs"] == {"spent": 1.0, "limit": 1.0}
    assert document["budget"]["disk"]["spent"] > 100_000
    assert [row[:2] for row in journal(home, "autopilot")] == [("acquire", "allow")]
    planned = [row for row in home.run("evidence", server["evidence"]).document["records"] if row["kind"] == "planned"]
    why = home.run("evidence", planned[0]["body"]["evidence"]).document["records"]
    assert [record["kind"] for record in why] == ["planned", "outcome"]
    assert why[0]["body"]["kind"] == "acquire"
    assert why[1]["body"]["server"] == server["name"]


@pytest.mark.timeout(120)
async def test_where_the_policy_denies_all_nothing_changes_and_everything_is_journalled(home: Home) -> None:
    from mcp import Client, MCPError

    settings(
        home,
        policy={"autonomy": "auto", "deny": ["*"]},
        autopilot={"every_seconds": 0.4, "least_count": 1, "cooldown_seconds": 0.1, "needs": [PDF]},
    )
    url = home.serve()
    denied = ("acquire", "deny")
    home.until(lambda: "ActionFailed" in home.said)
    async with Client(url, mode="legacy") as client:
        assert "acquire_capability" not in [tool.name for tool in (await client.list_tools()).tools]
        with pytest.raises(MCPError):
            await client.call_tool("clock__time_in_another_timezone", {})
    home.until(lambda: home.said.count("ActionFailed") == 2)  # it has looked again since, at least once
    first = [row for row in journal(home, "autopilot") if row[:2] == denied]
    assert len(first) == len(journal(home, "autopilot"))
    assert len({row[2] for row in first}) == len(first), "it acted against a denial twice"
    gaps = {row["need"]: row for row in home.run("gaps").document["gaps"]}
    assert gaps[PDF]["failures"] == 1
    assert "deny list" in gaps[PDF]["reason"]
    assert home.run("list").document["servers"] == []
    assert home.left() == []


@pytest.mark.timeout(120)
def test_what_nobody_uses_gets_notice_and_is_retired(home: Home) -> None:
    second = 1 / 86_400
    settings(
        home,
        policy={"autonomy": "auto"},
        autopilot={"every_seconds": 0.3, "unused_days": 2 * second, "notice_days": 6 * second},
    )
    declared = {"mcpServers": {"kept": {"command": sys.executable, "args": [str(FAULTY), "--mode", "both"]}}}
    (home.path / "mcp_servers.json").write_text(json.dumps(declared))
    assert home.add_faulty("unused").document["outcome"] == "served"
    home.serve()
    home.until(lambda: "RetirementNoticed" in home.said)
    assert [row["name"] for row in home.run("status").document["retiring"]] == ["unused"]
    home.until(lambda: "ServerRetired" in home.said)
    assert [row["name"] for row in home.run("list").document["servers"]] == ["kept"]
    assert [row[:2] for row in journal(home, "autopilot")] == [("retire", "allow")]


@pytest.mark.timeout(120)
def test_what_the_autopilot_may_not_do_by_itself_waits_for_a_person(home: Home) -> None:
    second = 1 / 86_400
    settings(
        home,
        policy={"autonomy": "ask"},
        autopilot={"every_seconds": 0.3, "unused_days": 2 * second, "notice_days": second, "needs": [PDF]},
    )
    assert home.add_faulty("unused").document["outcome"] == "served"
    home.serve()
    home.until(lambda: home.said.count("ActionProposed") == 2)
    by_kind = {row["kind"]: row for row in home.run("status").document["proposals"]}
    assert by_kind["retire"]["server"] == "unused"
    assert by_kind["acquire"]["need"] == PDF
    assert home.run("gaps").document["gaps"][0]["closing"] == f"vsm-mcp approve {by_kind['acquire']['id']}"
    denied = home.run("deny", by_kind["acquire"]["id"])
    assert (denied.code, denied.document["denied"]) == (0, "proposal")
    assert home.run("approve", by_kind["retire"]["id"], "--yes").document["retired"] == "removed"
    assert home.run("list").document["servers"] == []
    home.run("search", "draw a map of the world")
    home.run("search", "draw a world map")
    home.until(lambda: home.said.count("ActionProposed") == 3)  # it has looked again since
    assert PDF not in [row["need"] for row in home.run("status").document["proposals"]]
    records = home.run("evidence", by_kind["acquire"]["id"]).document["records"]
    assert [record["kind"] for record in records] == ["proposed", "decided"]


@pytest.mark.timeout(120)
async def test_what_keeps_failing_is_replaced_by_what_does_the_same(home: Home) -> None:
    """In process: two servers do the same, and of one it is known that nothing mends it."""
    from vsm_mcp import config
    from vsm_mcp.app import App
    from vsm_mcp.events import Escalated

    settings(
        home,
        policy={"autonomy": "auto"},
        autopilot={"failing_seconds": 1e-6, "every_seconds": 0, "needs": ["add two numbers"]},
        discovery={"sources": ["installed"]},
    )
    async with App.open(config.load(home.path)) as app:
        for name, mode in (("bad", "legacy"), ("good", "modern")):
            done = await app.add(f"cmd:{sys.executable} {FAULTY} --mode {mode}", name=name, yes=True)
            assert done.outcome == "served", done
        pilot, key = app.in_service.autopilot, key_of(stems_of("add two numbers"))
        assert await pilot.loop.look() == ()  # all is met
        await app.store.memory.put_need(key, Past(need="add two numbers", server="bad"))
        app.bus.emit(Escalated(server="bad", reason="nothing mends it", tried=()))
        assert await pilot.loop.look() == ()  # it has only begun to fail
        found = await pilot.loop.look()
        assert [(each.kind, each.server, each.need) for each in found] == [("replace", "bad", "add two numbers")]
        assert list(app.fleet.servers) == ["good"]
        assert (await app.store.memory.needs())[key].server == "good"
        waiting = [("acquire", key), ("replace", "bad"), ("retire", "good")]
        for number, (kind, about) in enumerate(waiting):
            await app.store.memory.put_proposal(Proposal(id=str(number), kind=kind, key=about))
        assert await pilot.loop.look() == ()
        assert list(await app.store.memory.proposals()) == ["2"]  # the need is met, that server is gone
    assert ("retire", "allow", "bad") in journal(home, "autopilot")
