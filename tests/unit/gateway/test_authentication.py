from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.gateway.issuing import Issuer as Local
from tests.unit.gateway.issuing import issuing

from vsm_mcp import config
from vsm_mcp.events import AccessRefused, Event
from vsm_mcp.gateway.authentication import Authentication
from vsm_mcp.gateway.issuer import Issuer
from vsm_mcp.gateway.keyring import Keyring
from vsm_mcp.gateway.refusals import Refusal
from vsm_mcp.gateway.tokens import Tokens
from vsm_mcp.model.auth import Auth
from vsm_mcp.model.key import ENTROPY, Key, digest_of, id_of, mint
from vsm_mcp.model.principal import Grant
from vsm_mcp.testing import curious, faulty_http

LIST = "tools/list"


class Keys:
    """A keyring, and the texts of its keys by name."""

    def __init__(self) -> None:
        self.ring = Keyring()
        self.keys: dict[str, Key] = {}

    def add(self, name: str, **grant: Any) -> str:
        text = mint(secrets.token_bytes(ENTROPY))
        self.keys[name] = Key(id=id_of(text), name=name, digest=digest_of(text), grant=Grant(**grant))
        self.ring.replace(self.keys.values())
        return f"Bearer {text}"

    def revoke(self, name: str) -> None:
        del self.keys[name]
        self.ring.replace(self.keys.values())


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
async def local() -> AsyncIterator[Local]:
    async with issuing() as issuer:
        issuer.add_key("one")
        yield issuer


async def keyed(start: Any, keys: Keys, settings: config.Gateway | None = None) -> Any:
    servers = {"old": ["--mode", "legacy"], "new": ["--mode", "modern"]}
    return await start(servers, settings, authentication=Authentication(keys.ring))


async def oauth(start: Any, keys: Keys, local: Local, servers: Any = None, **settings: Any) -> Any:
    judge = Tokens(Auth(issuer=local.url, **settings))
    return await start(servers or {"old": []}, authentication=Authentication(keys.ring, judge))


# --- keys -------------------------------------------------------------------------------------------------------------


async def test_nobody_gets_in_without_a_key(start: Any, keys: Keys) -> None:
    demo = await keyed(start, keys)
    status, headers, body = await demo.post({"jsonrpc": "2.0", "id": 1, "method": "ping"})
    assert status == 401
    assert headers["www-authenticate"] == 'Bearer realm="vsm-mcp"'
    assert body["error"]["data"]["class"] == "auth"
    assert "vsm-mcp key create" in body["error"]["data"]["hint"]
    for path in ("/mcp/", "/mcp/any"):
        async with demo.http.post(demo.url.replace("/mcp", path), json={}) as answer:
            assert answer.status == 401
    async with demo.http.get(demo.url) as answer:
        assert answer.status == 401
    async with demo.http.get(demo.url.replace("/mcp", "/.well-known/oauth-protected-resource")) as answer:
        assert answer.status == 404


async def test_a_key_opens_both_eras(start: Any, keys: Keys) -> None:
    demo = await keyed(start, keys)
    demo.http.headers["Authorization"] = keys.add("ci")
    assert (await demo.modern(LIST))[0] == 200
    await demo.initialize()
    call = {"name": "new__add", "arguments": {"a": 2, "b": 3}}
    assert (await demo.legacy("tools/call", call))[1]["result"]["content"][0]["text"] == "5"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text[:-1], "not a whole key"),
        (lambda text: text[:20] + ("a" if text[20] != "a" else "b") + text[21:], "not a whole key"),
        (lambda _: "Bearer " + mint(bytes(ENTROPY)), "not known"),
        (lambda text: text.replace("Bearer", "Basic"), "has to be"),
        (lambda _: "Bearer", "has to be"),
        (lambda _: "Bearer eyJhbGciOiJub25lIn0.e30.", "not a whole key"),
        (lambda _: "\u00ff\u00fe", "has to be"),
    ],
)
async def test_keys_that_are_not_good(start: Any, keys: Keys, change: Any, why: str) -> None:
    demo = await keyed(start, keys)
    given = change(keys.add("ci"))
    status, headers, body = await demo.post({"jsonrpc": "2.0", "id": 1, "method": "ping"}, authorization=given)
    assert (status, why in body["error"]["message"]) == (401, True)
    assert 'error="invalid_token"' in headers["www-authenticate"]
    assert given.partition(" ")[2][:20] not in json.dumps(body) or not given.partition(" ")[2]


async def test_the_scheme_is_read_without_case(start: Any, keys: Keys) -> None:
    demo = await keyed(start, keys)
    assert (await demo.modern(LIST, authorization=keys.add("ci").replace("Bearer ", "bEARER   ")))[0] == 200


async def test_a_key_holds_until_it_expires_or_is_revoked(start: Any, keys: Keys) -> None:
    demo = await keyed(start, keys)
    soon, lasting = keys.add("soon", expires=time.time() + 0.3), keys.add("lasting")
    assert (await demo.modern(LIST, authorization=soon))[0] == 200
    assert (await demo.modern(LIST, authorization=lasting))[0] == 200
    async with asyncio.timeout(60):
        while (await demo.modern(LIST, authorization=soon))[0] != 401:
            pass
    status, body = await demo.modern(LIST, authorization=soon)
    assert "expired" in body["error"]["message"]
    keys.revoke("lasting")
    status, body = await demo.modern(LIST, authorization=lasting)
    assert (status, "revoked" in body["error"]["message"]) == (401, True)


async def test_credentials_in_the_wrong_place(start: Any, keys: Keys) -> None:
    demo = await keyed(start, keys)
    given = keys.add("ci")
    text = given.removeprefix("Bearer ")
    url = demo.url
    for query in (f"access_token={text}", f"anything={text}", "API_KEY=x", f"a=b&token={text}"):
        demo.url = f"{url}?{query}"
        for header in ({}, {"authorization": given}):
            status, body = await demo.modern(LIST, **header)
            assert (status, "URL" in body["error"]["message"]) == (400, True)
            assert text not in json.dumps(body)
    demo.url = f"{url}?harmless=1"
    assert (await demo.modern(LIST, authorization=given))[0] == 200
    host, port = url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    twice = f"Authorization: {given}\r\n" * 2
    writer.write(f"POST /mcp HTTP/1.1\r\nHost: x\r\n{twice}Content-Length: 0\r\n\r\n".encode())
    async with asyncio.timeout(60):
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
    writer.close()
    await writer.wait_closed()


async def test_any_host_may_be_named_by_who_has_a_key_but_no_page_may_ask(start: Any, keys: Keys) -> None:
    demo = await keyed(start, keys)
    given = keys.add("ci")
    assert (await demo.modern(LIST, host="gateway.lan:8765", authorization=given))[0] == 200
    assert (await demo.modern(LIST, host="gateway.lan:8765"))[0] == 401
    assert (await demo.modern(LIST, origin="https://evil.example", authorization=given))[0] == 403
    assert (await demo.modern(LIST, origin="http://gateway.lan:8765", authorization=given))[0] == 403
    named = await keyed(start, keys, config.Gateway(allowed_hosts=("gateway.lan",)))
    assert (await named.modern(LIST, host="gateway.lan:8765", authorization=given))[0] == 200
    assert (await named.modern(LIST, host="other.lan", authorization=given))[0] == 421


async def test_a_session_belongs_to_who_opened_it(start: Any, keys: Keys) -> None:
    demo = await keyed(start, keys)
    one, other = keys.add("one"), keys.add("other")
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}
    message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    _, headers, _ = await demo.post(message, authorization=one)
    demo.session = headers["mcp-session-id"]
    assert (await demo.legacy("ping", authorization=one))[0] == 200
    assert (await demo.legacy("ping", authorization=other))[0] == 404
    stream = {"mcp-session-id": demo.session, "accept": "text/event-stream", "authorization": other}
    async with demo.http.get(demo.url, headers=stream) as answer:
        assert answer.status == 404
    async with demo.http.delete(demo.url, headers=stream) as answer:
        assert answer.status == 404
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    assert (await demo.post(note, mcp_session_id=demo.session, authorization=other))[0] == 404
    assert (await demo.legacy("ping", authorization=one))[0] == 200


@pytest.mark.parametrize("mode", ["legacy", "modern"])
async def test_a_call_that_waits_for_an_answer_belongs_to_who_made_it(start: Any, keys: Keys, mode: str) -> None:
    server = ["--", sys.executable, curious.__file__, "--mode", mode]
    demo = await start({"s": server}, authentication=Authentication(keys.ring))
    one, other = keys.add("one"), keys.add("other")
    meta: dict[str, Any] = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}}}
    params = {"name": "s__ask", "arguments": {"count": 1}, "_meta": meta}
    _, body = await demo.modern("tools/call", params, authorization=one)
    asked = body["result"]
    answer = {"action": "accept", "content": {"name": "Ada"}}
    again = {
        **params,
        "inputResponses": dict.fromkeys(asked["inputRequests"], answer),
        "requestState": asked["requestState"],
    }
    status, body = await demo.modern("tools/call", again, authorization=other)
    assert (status, body["error"]["code"]) == (400, -32602)
    _, body = await demo.modern("tools/call", again, authorization=one)
    assert body["result"]["resultType"] == "complete"


async def test_the_pair_of_endpoints_of_2024_asks_for_keys_too(start: Any, keys: Keys) -> None:
    demo = await start({"old": [], "mute": ["--no-answer"]}, authentication=Authentication(keys.ring))
    origin = demo.url.removesuffix("/mcp")
    one = {"authorization": keys.add("one", allow_tools=("mute__*",), concurrency=2, max_body_bytes=500)}
    other = {"authorization": keys.add("other")}
    for verb, path in (("get", "/sse"), ("post", "/messages?session=x")):
        async with demo.http.request(verb, origin + path, json={}) as answer:
            assert answer.status == 401
    async with asyncio.timeout(60), demo.http.get(f"{origin}/sse", headers=one) as stream:
        where = origin + (await stream.content.readuntil(b"\r\n\r\n")).decode().split("data: ")[1].strip()

        async def post(message: Any, headers: Any) -> int:
            message = {"jsonrpc": "2.0", "id": 1, **message}
            async with demo.http.post(where, json=message, headers=headers) as answer:
                return int(answer.status)

        async def event() -> Any:
            return json.loads((await stream.content.readuntil(b"\r\n\r\n")).decode().split("data: ")[1])

        assert await post({"method": "ping"}, {}) == 401
        assert await post({"method": "ping"}, other) == 404
        assert await post({"method": "ping", "params": {"x": "x" * 500}}, one) == 413
        begin = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}
        assert await post({"method": "initialize", "params": begin}, one) == 202
        assert (await event())["result"]["protocolVersion"] == "2024-11-05"
        assert await post({"method": LIST}, one) == 202
        assert {tool["name"].split("__")[0] for tool in (await event())["result"]["tools"]} == {"mute"}
        call = {"method": "tools/call", "params": {"name": "mute__echo", "arguments": {"text": "x"}}}
        for number in (7, 8):
            assert await post({**call, "id": number}, one) == 202
        assert await post(call, one) == 429
        keys.revoke("one")
        demo.gateway.expel("key:one")
        with pytest.raises(aiohttp.ClientPayloadError):
            await stream.content.read()
    await demo.until(lambda: demo.fleet.connections["mute"].in_flight == 0)
    assert len(demo.gateway.sessions) == 0


async def test_tools_that_a_key_does_not_cover(start: Any, keys: Keys) -> None:
    demo = await keyed(start, keys)
    given = keys.add("ci", allow_tools=("old__*",), deny_tools=("old__fail",))
    _, body = await demo.modern(LIST, authorization=given)
    names = {tool["name"] for tool in body["result"]["tools"]}
    assert "old__echo" in names
    assert not any(name.startswith("new__") or name == "old__fail" for name in names)
    call = {"name": "old__add", "arguments": {"a": 2, "b": 3}}
    assert (await demo.modern("tools/call", call, authorization=given))[1]["result"]["content"][0]["text"] == "5"
    for name in ("new__add", "old__fail"):
        status, body = await demo.modern("tools/call", {"name": name, "arguments": {}}, authorization=given)
        assert (status, body["error"]["code"], body["error"]["data"]["class"]) == (400, -32602, "policy")
    _, body = await demo.modern("prompts/list", authorization=given)
    assert {prompt["name"] for prompt in body["result"]["prompts"]} == {"old__greet"}
    status, _ = await demo.modern("prompts/get", {"name": "new__greet"}, authorization=given)
    assert status == 400
    _, body = await demo.modern("resources/list", authorization=given)
    assert {item["uri"].split("/")[2] for item in body["result"]["resources"]} == {"old"}
    for server in ("old", "new"):
        uri = f"vsm-mcp://{server}/note://one"
        status, body = await demo.modern("resources/read", {"uri": uri}, authorization=given)
        assert "new" not in json.dumps(body.get("result", {}))
    assert (await demo.modern(LIST))[0] == 401


async def test_tools_that_are_found_and_not_listed(start: Any, keys: Keys) -> None:
    demo = await keyed(start, keys, config.Gateway(mode="search"))
    given = keys.add("ci", allow_tools=("old__*",))
    _, body = await demo.modern(LIST, authorization=given)
    assert {tool["name"] for tool in body["result"]["tools"]} == {"find_tools", "describe_tool", "call_tool"}

    async def call(tool: str, /, **arguments: Any) -> Any:
        params = {"name": tool, "arguments": arguments}
        _, answer = await demo.modern("tools/call", params, authorization=given)
        return answer

    body = await call("find_tools", query="echo a text", limit=50)
    assert "old__echo" in json.dumps(body)
    assert "new__" not in json.dumps(body)
    body = await call("call_tool", name="old__add", arguments={"a": 2, "b": 3})
    assert body["result"]["content"][0]["text"] == "5"
    for tool in ("call_tool", "describe_tool"):
        body = await call(tool, name="new__add", arguments={})
        assert body["error"]["data"]["class"] == "policy"
    assert "result" not in await call("new__add", a=2, b=3)


async def test_who_asks_too_often_is_told_how_long_to_wait(start: Any, keys: Keys) -> None:
    demo = await keyed(start, keys)
    slow, quick = keys.add("slow", rate=6, burst=2), keys.add("quick")
    message = {"jsonrpc": "2.0", "id": "seven", "method": "ping"}
    for _ in range(2):
        assert (await demo.post(message, authorization=slow))[0] == 400  # no session; it counts all the same
    status, headers, body = await demo.post(message, authorization=slow)
    assert (status, headers["retry-after"], body["id"]) == (429, "10", "seven")
    data = body["error"]["data"]
    assert (data["class"], data["retryable"], data["seconds"]) == ("quota", True, 10)
    assert "key:slow may make 6 requests a minute" in body["error"]["message"]
    assert (await demo.modern(LIST, authorization=quick))[0] == 200


async def test_so_many_requests_at_a_time(start: Any, keys: Keys) -> None:
    demo = await start({"old": ["--no-answer"]}, authentication=Authentication(keys.ring))
    given, other = keys.add("ci", concurrency=2), keys.add("other")
    call = {"name": "old__echo", "arguments": {"text": "x"}}
    calls = [asyncio.ensure_future(demo.modern("tools/call", call, authorization=given)) for _ in range(2)]
    connection = demo.fleet.connections["old"]
    await demo.until(lambda: connection.in_flight == 2)
    status, body = await demo.modern(LIST, authorization=given)
    assert (status, body["error"]["data"]["class"]) == (429, "quota")
    assert (await demo.modern(LIST, authorization=other))[0] == 200
    for task in calls:
        task.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await demo.until(lambda: connection.in_flight == 0)
    assert (await demo.modern(LIST, authorization=given))[0] == 200


async def test_every_request_gives_its_place_back(start: Any, keys: Keys) -> None:
    demo = await keyed(start, keys)
    demo.http.headers["Authorization"] = keys.add("ci", concurrency=1)
    await demo.initialize()
    good, bad = {"name": "old__add", "arguments": {"a": 2, "b": 3}}, {"name": "nothing"}
    for _ in range(3):
        assert (await demo.legacy("ping"))[0] == 200
        assert (await demo.legacy("tools/call", good))[0] == 200
        assert (await demo.legacy("tools/call", bad))[0] == 200
        assert (await demo.modern(LIST))[0] == 200
        assert (await demo.modern("tools/call", good))[0] == 200
        assert (await demo.modern("tools/call", bad))[0] == 400
        assert (await demo.modern("nonsense"))[0] == 404
        assert (await demo.post(b"{"))[0] == 400
        assert (await demo.post({"jsonrpc": "2.0", "method": "notifications/x"}, mcp_session_id=demo.session))[0] == 202
        async with demo.http.get(f"{demo.url}/nobody") as answer:
            assert answer.status == 404


async def test_a_body_that_is_too_large_for_a_key(start: Any, keys: Keys) -> None:
    demo = await keyed(start, keys, config.Gateway(max_body_bytes=3000))
    small, large = keys.add("small", max_body_bytes=1000), keys.add("large", max_body_bytes=1_000_000)
    call = {"name": "old__echo", "arguments": {"text": "x" * 1500}}
    assert (await demo.modern("tools/call", call, authorization=large))[0] == 200
    for _ in range(2):  # whether or not it is known already
        status, body = await demo.modern("tools/call", call, authorization=small)
        assert (status, "1000 bytes" in body["error"]["message"]) == (413, True)
    call["arguments"] = {"text": "x" * 4000}
    assert (await demo.modern("tools/call", call, authorization=large))[0] == 413


async def test_who_is_expelled_loses_session_stream_and_call(start: Any, keys: Keys) -> None:
    demo = await start({"old": ["--no-answer"]}, authentication=Authentication(keys.ring))
    demo.http.headers["Authorization"] = keys.add("ci")
    await demo.initialize()
    headers = {"mcp-session-id": demo.session, "accept": "text/event-stream"}
    stream = await demo.http.get(demo.url, headers=headers)
    call = asyncio.ensure_future(demo.legacy("tools/call", {"name": "old__echo", "arguments": {"text": "x"}}))
    connection = demo.fleet.connections["old"]
    await demo.until(lambda: connection.in_flight == 1)
    keys.revoke("ci")
    demo.gateway.expel("key:ci")
    async with asyncio.timeout(60):
        assert (await call)[0] == 500  # cut off, without an answer
        with pytest.raises(aiohttp.ClientPayloadError):
            await stream.read()
    await demo.until(lambda: connection.in_flight == 0)
    assert len(demo.gateway.sessions) == 0
    assert (await demo.legacy("ping"))[0] == 401


async def test_who_keeps_failing_is_slowed_down_and_nobody_else(start: Any, keys: Keys, caplog: Any) -> None:
    events: list[Event] = []
    demo = await start({"old": []}, authentication=Authentication(keys.ring, emit=events.append))
    good, bad = keys.add("ci"), "Bearer " + mint(bytes(ENTROPY))
    answers = [await demo.post({"jsonrpc": "2.0", "id": 1, "method": "ping"}, authorization=bad) for _ in range(40)]
    statuses = [status for status, _, _ in answers]
    assert statuses[:20] == [401] * 20
    assert statuses[-1] == 429
    assert int(answers[-1][1]["retry-after"]) >= 1
    assert (await demo.modern(LIST, authorization=good))[0] == 200
    assert (await demo.modern(LIST))[0] == 401  # who presents nothing has not failed
    refused = [event for event in events if isinstance(event, AccessRefused)]
    assert 20 <= len(refused) < 30
    assert refused[0].address == "127.0.0.1"
    said = json.dumps([event.to_dict() for event in events]) + caplog.text + json.dumps([a[2] for a in answers])
    for secret in (good, bad):
        assert secret.split("_")[2][:12] not in said


async def test_what_is_remembered_of_credentials_is_bounded(start: Any, keys: Keys) -> None:
    authentication = Authentication(keys.ring)
    demo = await start({"old": []}, authentication=authentication)
    given = keys.add("ci")
    for number in range(1100):
        headers = {b"authorization": given.encode() + b" " * number}
        scope = {"query_string": b"", "headers": list(headers.items())}
        assert (await authentication.principal(scope, headers, "")).name == "key:ci"
    assert len(authentication._passed) == 1024
    keys.revoke("ci")
    assert (await demo.modern(LIST, authorization=given))[0] == 401
    assert len(authentication._passed) == 0


async def test_no_bytes_in_the_header_fail_in_another_way(keys: Keys) -> None:
    async def fetch(_url: str) -> Any:
        return {"keys": []}

    text = keys.add("ci").removeprefix("Bearer ")
    judge = Tokens(Auth(issuer="https://i"), Issuer("https://i", "https://i/keys", fetch=fetch))
    authentication = Authentication(keys.ring, judge)
    part = st.sampled_from([b"Bearer ", b"bearer", b" ", b".", b"eyJhbGciOiJFUzI1NiJ9", b"e30", b"vsm_", text.encode()])
    loop = asyncio.get_running_loop()

    async def present(field: bytes, query: bytes) -> None:
        headers = {b"authorization": field}
        scope = {"query_string": query, "headers": [*headers.items()], "client": None}
        try:
            assert (await authentication.principal(scope, headers, "")).name == "key:ci"
            assert text.encode() in field
        except Refusal as refusal:
            assert refusal.status in {400, 401, 429}
            assert text not in refusal.message
            assert text.encode() not in (refusal.data or b"")

    @given(st.lists(part | st.binary(max_size=30), max_size=5).map(b"".join), st.binary(max_size=20))
    def run(field: bytes, query: bytes) -> None:
        asyncio.run_coroutine_threadsafe(present(field, query), loop).result(10)

    await asyncio.to_thread(run)


async def test_there_is_no_control_api_on_tcp(start: Any, keys: Keys) -> None:
    for demo in (await start({}), await keyed(start, keys)):
        for path in ("/v1/status", "/v1/key_create", "/"):
            async with demo.http.post(demo.url.replace("/mcp", path), json={}) as answer:
                assert answer.status == 404


# --- tokens -----------------------------------------------------------------------------------------------------------


async def test_a_client_is_led_to_the_issuer_and_comes_back_with_a_token(start: Any, keys: Keys, local: Local) -> None:
    demo = await oauth(start, keys, local, required_scopes=("tools",))
    status, headers, _ = await demo.post({"jsonrpc": "2.0", "id": 1, "method": "ping"})
    assert status == 401
    challenge = headers["www-authenticate"]
    assert 'scope="tools"' in challenge
    assert "error=" not in challenge
    where = challenge.split('resource_metadata="')[1].split('"')[0]
    assert where == demo.url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
    for url in (where, where.removesuffix("/mcp")):
        async with demo.http.get(url) as answer:
            document = await answer.json()
            assert document["resource"] == demo.url
            assert document["authorization_servers"] == [local.url]
    async with demo.http.post(where, json={}) as answer:
        assert answer.status == 405
    bearer = f"Bearer {local.token(aud=demo.url, scope='tools')}"
    assert (await demo.modern(LIST, authorization=bearer))[0] == 200
    assert (await demo.modern(LIST, authorization=keys.add("ci")))[0] == 200
    status, headers, body = await demo.post(
        {"jsonrpc": "2.0", "id": 1, "method": "ping"}, authorization=f"Bearer {local.token(aud=demo.url)}"
    )
    assert status == 403
    assert 'error="insufficient_scope"' in headers["www-authenticate"]
    assert 'scope="tools"' in headers["www-authenticate"]
    assert "resource_metadata=" in headers["www-authenticate"]
    assert "tools" in body["error"]["message"]


async def test_tokens_of_others_and_for_others(start: Any, keys: Keys, local: Local) -> None:
    demo = await oauth(start, keys, local)
    for claims in ({"aud": "https://other"}, {"aud": demo.url, "exp": 1}, {"aud": demo.url, "iss": "https://other"}):
        bearer = f"Bearer {local.token(**claims)}"
        status, headers, body = await demo.post({}, authorization=bearer)
        assert (status, 'error="invalid_token"' in headers["www-authenticate"]) == (401, True)
        assert bearer[7:40] not in json.dumps(body) + json.dumps(headers)


async def test_a_token_is_verified_once_and_not_for_longer_than_it_holds(start: Any, keys: Keys, local: Local) -> None:
    demo = await oauth(start, keys, local, leeway_seconds=0)
    bearer = f"Bearer {local.token(aud=demo.url, exp=time.time() + 2)}"
    for _ in range(5):
        assert (await demo.modern(LIST, authorization=bearer))[0] == 200
    assert local.asked == ["/.well-known/oauth-authorization-server", "/keys"]
    async with asyncio.timeout(60):
        while (await demo.modern(LIST, authorization=bearer))[0] == 200:
            pass
    _, body = await demo.modern(LIST, authorization=bearer)
    assert "expired" in body["error"]["message"]


async def test_without_its_issuer_nobody_gets_in_but_keys_do(start: Any, keys: Keys, local: Local) -> None:
    demo = await oauth(start, keys, local)
    local.status = 503
    bearer = f"Bearer {local.token(aud=demo.url)}"
    status, headers, body = await demo.post({}, authorization=bearer)
    assert (status, headers["retry-after"]) == (503, "30")
    assert "issuer" in body["error"]["message"]
    assert body["error"]["data"]["retryable"] is True
    assert (await demo.modern(LIST, authorization=keys.add("ci")))[0] == 200


async def test_a_token_for_a_profile_does_not_open_the_rest(start: Any, keys: Keys, local: Local) -> None:
    demo = await oauth(start, keys, local)
    bearer = f"Bearer {local.token(aud=demo.url + '/web')}"
    assert (await demo.modern(LIST, authorization=bearer))[0] == 403
    _, headers, _ = await demo.post({})
    demo.url += "/web"
    _, inner, _ = await demo.post({})
    assert inner["www-authenticate"] == headers["www-authenticate"].replace("/mcp", "/mcp/web")
    assert (await demo.modern(LIST, authorization=bearer))[0] == 404  # it may be used, and there is none here


async def test_a_token_goes_no_further(start: Any, keys: Keys, local: Local) -> None:
    async with faulty_http.serving() as (url, server):
        demo = await oauth(start, keys, local, {"remote": url})
        bearer = f"Bearer {local.token(aud=demo.url)}"
        call = {"name": "remote__echo", "arguments": {"text": "x"}, "_meta": {"progressToken": 1}}
        for given in (bearer, keys.add("ci")):
            assert (await demo.modern("tools/call", call, authorization=given))[0] == 200
            assert (await demo.modern("resources/read", {"uri": "note://one"}, authorization=given))[0] == 200
        assert len(server.seen) > 4
        for headers, message in server.seen:
            assert "authorization" not in {name.lower() for name in headers}
            said = json.dumps([headers, message])
            assert bearer[7:30] not in said
            assert "vsm_" not in said
