"""A person asked through the client for leave: whose word counts, what comes back, and what is forged."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from tests.unit.gateway.fronts import META, opened
from tests.unit.gateway.test_meta import Shop

from vsm_mcp.gateway.meta.consent import Said, may_say, read
from vsm_mcp.model.principal import LOCAL, Grant, Principal

CAN = {**META, "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
YES = {"install": {"action": "accept", "content": {"install": True}}}


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b'{"action":"accept","content":{"install":true}}', Said(ref="r", yes=True)),
        (b'{"action":"accept","content":{"install":false}}', Said(ref="r", no=True)),
        (b'{"action":"decline"}', Said(ref="r", no=True)),
        (b'{"action":"cancel"}', Said(ref="r")),
        (b'{"action":"accept"}', Said(ref="r")),
        (b'{"action":"accept","content":{"install":"true"}}', Said(ref="r")),
        (b'{"action":"accept","content":{"install":1}}', Said(ref="r")),
        (b'{"action":"decline","content":{"install":true}}', Said(ref="r", no=True)),
        (b"[]", Said(ref="r")),
        (None, Said(ref="r")),
    ],
)
def test_what_an_answer_means(reply: bytes | None, said: Said) -> None:
    assert read(None if reply is None else Raw(reply), "r") == said


@given(st.binary(max_size=60))
def test_junk_is_no_yes(junk: bytes) -> None:
    assert not read(Raw(junk), "r").yes


def test_whose_word_counts() -> None:
    assert may_say(LOCAL)
    assert not may_say(Principal(name="local"))
    assert not may_say(Principal(name="key:ci"))
    assert may_say(Principal(name="key:me", grant=Grant(consents=True)))


async def call(client: Any, need: str, meta: Any = CAN, **params: Any) -> Any:
    whole = {"name": "acquire_capability", "arguments": {"need": need}, **params, "_meta": meta}
    client._ident += 1
    return await client.exchange({"jsonrpc": "2.0", "id": client._ident, "method": "tools/call", "params": whole})


@pytest.mark.parametrize("front", ["http modern", "stdio modern"])
async def test_a_modern_client_is_asked_by_a_result_and_answers_with_the_next_call(start: Any, front: str) -> None:
    shop = Shop()
    shop.endpoint = endpoint = await start({"old": []}, needs=shop)
    async with opened(front, endpoint) as client:
        asked = (await call(client, "leave"))["result"]
        assert asked["resultType"] == "input_required"
        question = asked["inputRequests"]["install"]
        assert question["method"] == "elicitation/create"
        assert question["params"]["message"] == "May I?"
        assert question["params"]["requestedSchema"]["required"] == ["install"]
        state = asked["requestState"]
        served = (await call(client, "leave", requestState=state, inputResponses=YES))["result"]
        assert served["structuredContent"]["outcome"] == "served"
        assert shop.said == [("npm:x", "local")]


async def test_a_no_is_passed_on_and_a_question_put_away_is_none(start: Any) -> None:
    shop = Shop()
    endpoint = await start({"old": []}, needs=shop)
    async with opened("http modern", endpoint) as client:
        state = (await call(client, "leave"))["result"]["requestState"]
        for action, said in (("cancel", []), ("decline", [("leave", "local")])):
            replies = {"install": {"action": action}}
            result = (await call(client, "leave", requestState=state, inputResponses=replies))["result"]
            assert result["structuredContent"]["outcome"] == "rejected"
            assert shop.said == said


async def test_a_state_that_is_not_ours_or_not_of_this_need_is_refused(start: Any) -> None:
    shop = Shop()
    endpoint = await start({"old": []}, needs=shop)
    async with opened("http modern", endpoint) as client:
        state = (await call(client, "leave"))["result"]["requestState"]
        for need, given_state in (("something else", state), ("leave", state[:-4] + "AAAA"), ("leave", "x")):
            answer = await call(client, need, requestState=given_state, inputResponses=YES)
            assert answer["error"]["code"] == -32602
    assert shop.said == []


@pytest.mark.parametrize("front", ["http modern", "http legacy", "stdio legacy"])
async def test_a_client_that_cannot_ask_is_told_what_a_person_has_to_do(start: Any, front: str) -> None:
    shop = Shop()
    endpoint = await start({"old": []}, needs=shop)
    async with opened(front, endpoint) as client:
        result = await client.call("acquire_capability", {"need": "leave"})
        assert result["structuredContent"]["outcome"] == "rejected"
        assert "consent" not in result["structuredContent"]
    assert shop.said == []


@pytest.mark.parametrize("front", ["http modern", "stdio legacy"])
async def test_a_tool_that_does_not_exist_is_noted_once_for_each_call(start: Any, front: str) -> None:
    shop = Shop()
    endpoint = await start({"old": []}, needs=shop)
    async with opened(front, endpoint) as client:
        answer = await client.ask("tools/call", {"name": "github__create_issue", "arguments": {}})
        assert answer["error"]["code"] == -32602
        await client.ask("tools/call", {"name": "old__echo", "arguments": {"text": "x"}})
    assert shop.absent == ["github__create_issue"]
