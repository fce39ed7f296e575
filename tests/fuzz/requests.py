"""What clients send: requests that are good more often than not, and what is none."""

from __future__ import annotations

from hypothesis import strategies as st
from tests.fuzz.texts import ANY, BROKEN, IDS, NUMBERS, STRINGS, members, message, mostly, object_of, quoted

CALLS = quoted("tools/call")
OTHERS = quoted(
    "tools/list", "prompts/get", "prompts/list", "resources/read", "resources/list", "resources/templates/list",
    "completion/complete", "ping", "initialize", "server/discover", "logging/setLevel", "resources/subscribe",
    "resources/unsubscribe", "subscriptions/listen", "nonsense", "notifications/cancelled", "tools\\u002fcall",
    "tasks/get", "tasks/result", "tasks/list", "tasks/cancel", "tasks/update",
)  # fmt: skip
METHODS = mostly(mostly(CALLS, OTHERS, 50), ANY)
NAMES = quoted("old__echo", "new__echo", "loud__echo", "odd__echo", "old__add", "new__fail", "old__greet", "new__greet")
META = members(quoted("io.modelcontextprotocol/logLevel", "progressToken"), mostly(quoted("info"), IDS, 50), 2).map(
    lambda more: (
        '{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
        '"io.modelcontextprotocol/clientCapabilities":{}' + (f",{more[1:]}" if len(more) > 2 else "}")
    )
)
PARTS = {
    "name": mostly(mostly(NAMES, quoted("find_tools", "call_tool", "old__none")), ANY),
    "arguments": mostly(members(quoted("text", "a", "b"), STRINGS | NUMBERS | ANY), ANY),
    "_meta": mostly(META, ANY),
}
MORE = {
    "uri": mostly(quoted("note://one", "note://two"), ANY),
    "cursor": mostly(quoted("", "dG9vbHM6eA=="), ANY),
    "ref": members(quoted("type", "name", "uri"), mostly(quoted("ref/prompt", "old__greet", "note://one"), ANY)),
    "level": mostly(quoted("info", "loud"), ANY),
    "protocolVersion": mostly(quoted("2025-06-18", "1999-01-01"), ANY),
    "notifications": members(quoted("toolsListChanged", "resourceSubscriptions"), mostly(st.just("true"), ANY)),
    "requestState": STRINGS,
    "task": mostly(st.just('{"ttl":1000}'), ANY),
    "taskId": mostly(quoted("t1"), ANY),
    "inputResponses": ANY,
}
PARAMS = mostly(
    mostly(st.fixed_dictionaries(PARTS, optional=MORE), st.fixed_dictionaries({}, optional={**PARTS, **MORE}), 70).map(
        object_of
    ),
    ANY,
)
MESSAGES = message(jsonrpc=mostly(quoted("2.0"), quoted("1.0")), id=IDS, method=METHODS, params=PARAMS)
JUNK = st.binary(max_size=60) | st.builds(lambda *parts: "".join(parts).encode("utf-8", "surrogatepass"), BROKEN, ANY)
