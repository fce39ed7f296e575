from __future__ import annotations

from typing import Any

import pytest

VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}


async def test_discover_lists_and_calls(demo: Any) -> None:
    status, body = await demo.modern("server/discover")
    result = body["result"]
    assert status == 200
    assert result["supportedVersions"] == [VERSION]
    assert result["resultType"] == "complete"
    assert result["cacheScope"] == "private"
    assert isinstance(result["ttlMs"], int)
    assert result["capabilities"]["tools"] == {"listChanged": True}
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "vsm-mcp"

    status, body = await demo.modern("tools/list")
    names = [tool["name"] for tool in body["result"]["tools"]]
    assert {"old__echo", "new__echo"} <= set(names)
    assert names == sorted(names)
    assert body["result"]["resultType"] == "complete"

    for server in ("old", "new"):
        status, body = await demo.modern("tools/call", {"name": f"{server}__echo", "arguments": {"text": "ü€𝄞"}})
        assert status == 200, body
        assert body["result"]["content"][0]["text"] == "echo:ü€𝄞"
        assert body["result"]["resultType"] == "complete"
        assert "io.modelcontextprotocol/serverInfo" in body["result"]["_meta"]


@pytest.mark.parametrize("server", ["old", "new"])
async def test_resources_prompts_and_completion(demo: Any, server: str) -> None:
    status, body = await demo.modern("prompts/get", {"name": f"{server}__greet"})
    assert status == 200, body
    assert body["result"]["messages"][0]["content"]["text"] == "hello"
    # both servers have note://one, so neither keeps the plain URI
    status, body = await demo.modern("resources/list")
    uris = [item["uri"] for item in body["result"]["resources"]]
    assert uris == ["vsm-mcp://new/note://one", "vsm-mcp://old/note://one"]
    status, body = await demo.modern("resources/read", {"uri": f"vsm-mcp://{server}/note://one"})
    assert status == 200, body
    assert body["result"]["contents"][0]["text"] == "a note"
    assert "ttlMs" in body["result"]
    assert "cacheScope" in body["result"]
    status, body = await demo.modern("resources/templates/list")
    assert [item["uriTemplate"] for item in body["result"]["resourceTemplates"]] == [
        "vsm-mcp://new/note://{name}",
        "vsm-mcp://old/note://{name}",
    ]


HEADER_CASES = [
    ({"mcp_method": ""}, 400, -32020),
    ({"mcp_method": "tools/call"}, 400, -32020),
    ({"mcp_protocol_version": "2027-01-01"}, 400, -32020),
    ({"mcp_protocol_version": "rubbish"}, 400, -32020),
]


@pytest.mark.parametrize(("headers", "status", "code"), HEADER_CASES)
async def test_headers_that_disagree_with_the_body(demo: Any, headers: dict[str, str], status: int, code: int) -> None:
    found, body = await demo.modern("tools/list", **headers)
    assert (found, body["error"]["code"]) == (status, code)


async def test_name_header(demo: Any) -> None:
    call = {"name": "old__echo", "arguments": {"text": "x"}}
    assert (await demo.modern("tools/call", call, mcp_name=""))[1]["error"]["code"] == -32020
    assert (await demo.modern("tools/call", call, mcp_name="new__echo"))[1]["error"]["code"] == -32020
    # base64 of old__echo in the sentinel form, and a broken one
    assert (await demo.modern("tools/call", call, mcp_name="=?base64?b2xkX19lY2hv?="))[0] == 200
    assert (await demo.modern("tools/call", call, mcp_name="=?base64?b2xkX19lY2h?="))[0] == 400


async def test_missing_version_header_with_a_modern_body(demo: Any) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
    status, _, body = await demo.post(message, mcp_method="tools/list")
    assert (status, body["error"]["code"]) == (400, -32020)


async def test_unsupported_version(demo: Any) -> None:
    meta = {**META, "io.modelcontextprotocol/protocolVersion": "2027-01-01"}
    status, body = await demo.modern("tools/list", {"_meta": meta}, mcp_protocol_version="2027-01-01")
    assert (status, body["error"]["code"]) == (400, -32022)
    assert body["error"]["data"] == {"supported": [VERSION], "requested": "2027-01-01"}


@pytest.mark.parametrize("missing", sorted(META))
async def test_missing_meta(demo: Any, missing: str) -> None:
    meta = {key: value for key, value in META.items() if key != missing}
    message = {"jsonrpc": "2.0", "id": "a", "method": "tools/list", "params": {"_meta": meta}}
    status, _, body = await demo.post(message, mcp_protocol_version=VERSION, mcp_method="tools/list")
    assert (status, body["error"]["code"], body["id"]) == (400, -32602, "a")
    assert missing in body["error"]["message"]


async def test_duplicated_routing_header(demo: Any) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
    headers = [
        ("content-type", "application/json"),
        ("mcp-protocol-version", VERSION),
        ("mcp-method", "tools/list"),
        ("mcp-method", "tools/list"),
    ]
    async with demo.http.post(demo.url, json=message, headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["code"] == -32020


@pytest.mark.parametrize("method", ["ping", "initialize", "logging/setLevel", "tasks/get", "nonsense"])
async def test_unknown_methods(demo: Any, method: str) -> None:
    status, body = await demo.modern(method)
    assert (status, body["error"]["code"]) == (404, -32601)


async def test_verbs_and_one_way_messages(demo: Any) -> None:
    headers = {"mcp-protocol-version": VERSION}
    for verb in ("GET", "DELETE", "PUT"):
        async with demo.http.request(verb, demo.url, headers=headers) as answer:
            assert answer.status == 405
            assert answer.headers["allow"] == "POST"
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    assert (await demo.post(note, mcp_protocol_version=VERSION))[0] == 202
    assert (await demo.post(note, mcp_protocol_version="2027-01-01"))[2]["error"]["code"] == -32022
    response = {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert (await demo.post(response, mcp_protocol_version=VERSION))[0] == 400


async def test_unknown_names_are_led_to_the_closest(demo: Any) -> None:
    status, body = await demo.modern("tools/call", {"name": "old__ecko"})
    assert (status, body["error"]["code"]) == (400, -32602)
    assert body["error"]["data"]["closest"][0] == "old__echo"
    assert "old__echo" in body["error"]["message"]
    status, body = await demo.modern("prompts/get", {"name": "greet"})
    assert (status, body["error"]["code"]) == (400, -32602)
    assert "old__greet" in body["error"]["data"]["closest"]
    status, body = await demo.modern("resources/read", {"uri": "other://x"})
    assert (status, body["error"]["code"]) == (400, -32602)


async def test_errors_of_servers_pass(demo: Any) -> None:
    for server in ("old", "new"):
        _, body = await demo.modern("tools/call", {"name": f"{server}__fail"})
        assert body["result"]["isError"] is True


async def test_ids_are_echoed_verbatim(demo: Any) -> None:
    for ident in (b'"7"', b"7", b'"\\u00e9"', b"1e3", b"-1"):
        body = b'{"jsonrpc":"2.0","id":%b,"method":"tools/list","params":{"_meta":%b}}' % (
            ident,
            b'{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}',
        )
        headers = {"content-type": "application/json", "mcp-protocol-version": VERSION, "mcp-method": "tools/list"}
        async with demo.http.post(demo.url, data=body, headers=headers) as answer:
            assert (await answer.read()).startswith(b'{"jsonrpc":"2.0","id":%b,' % ident)
