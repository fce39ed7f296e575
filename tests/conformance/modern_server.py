"""The fixture for protocol 2026-07-28, on the Python SDK: over stdio, or over HTTP (``--http``; prints its URL).

Over HTTP it serves clients of the older versions too, whose questions it asks in the middle of the call: so it passes
both sets of the suite by itself.
"""

from __future__ import annotations

import json
import socket
import sys
import warnings
from typing import Any, Final

import anyio
import mcp.types as t
import uvicorn
from mcp import MCPError
from mcp.server import CacheHint, Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, PromptsListChanged, ToolsListChanged
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp.shared.message import ServerMessageMetadata
from tests.conformance.offer import CAPABILITY, OFFER, Entry, Shelves, contents, fill

warnings.simplefilter("ignore", MCPDeprecationWarning)  # logging is deprecated, and has to work until it is gone

MODERN: Final = "2026-07-28"
PAUSE: Final = 0.02
ANSWERS: Final = {
    "elicitation/create": t.ElicitResult,
    "sampling/createMessage": t.CreateMessageResult,
    "roots/list": t.ListRootsResult,
}
Asked = t.CallToolRequestParams | t.GetPromptRequestParams
Done = dict[str, Any] | t.InputRequiredResult

bus = InMemorySubscriptionBus()
shelves = Shelves()


async def list_tools(_ctx: Any, _params: Any) -> t.ListToolsResult:
    return t.ListToolsResult.model_validate({"tools": shelves.definitions("tools")})


async def call_tool(ctx: Any, params: t.CallToolRequestParams) -> t.CallToolResult | t.InputRequiredResult:
    done = await perform(ctx, params, found("tools", params.name))
    return done if isinstance(done, t.InputRequiredResult) else t.CallToolResult.model_validate(done)


async def list_prompts(_ctx: Any, _params: Any) -> t.ListPromptsResult:
    return t.ListPromptsResult.model_validate({"prompts": shelves.definitions("prompts")})


async def get_prompt(ctx: Any, params: t.GetPromptRequestParams) -> t.GetPromptResult | t.InputRequiredResult:
    done = await perform(ctx, params, found("prompts", params.name))
    return done if isinstance(done, t.InputRequiredResult) else t.GetPromptResult.model_validate(done)


async def list_resources(_ctx: Any, _params: Any) -> t.ListResourcesResult:
    definitions = [resource["definition"] for resource in OFFER["resources"]]
    return t.ListResourcesResult.model_validate({"resources": definitions})


async def list_templates(_ctx: Any, _params: Any) -> t.ListResourceTemplatesResult:
    return t.ListResourceTemplatesResult.model_validate({"resourceTemplates": [OFFER["template"]["definition"]]})


async def read_resource(_ctx: Any, params: t.ReadResourceRequestParams) -> t.ReadResourceResult:
    held = contents(str(params.uri))
    if held is None:
        raise MCPError(code=t.INVALID_PARAMS, message="Resource not found", data={"uri": str(params.uri)})
    return t.ReadResourceResult.model_validate({"contents": held})


async def complete(_ctx: Any, params: t.CompleteRequestParams) -> t.CompleteResult:
    values = [value for value in OFFER["completions"] if value.startswith(params.argument.value)]
    return t.CompleteResult(completion=t.Completion(values=values, total=len(values), has_more=False))


async def accept(_ctx: Any, _params: Any) -> t.EmptyResult:
    """Take note of a subscription or a log level of a client before 2026-07-28: the SDK filters nothing by them."""
    return t.EmptyResult()


def found(kind: str, name: str) -> Entry:
    entry = shelves.find(kind, name)
    if entry is None:
        raise MCPError(code=t.INVALID_PARAMS, message=f"Unknown name: {name}")
    return entry


async def perform(ctx: Any, params: Asked, entry: Entry) -> Done:
    """Do what an entry says: notify, change a list, ask, answer."""
    for text in entry.get("logs", ()):
        await ctx.session.send_log_message("info", text, related_request_id=ctx.request_id)
        await anyio.sleep(PAUSE)
    for progress in entry.get("progress", ()):
        await ctx.session.report_progress(progress, 100)
        await anyio.sleep(PAUSE)
    if "toggles" in entry:
        await toggle(ctx, entry["toggles"])
    if "rounds" not in entry:
        result: dict[str, Any] = fill(entry["result"], params.arguments or {})
        return result
    done = ask(ctx, params, entry)
    while isinstance(done, t.InputRequiredResult) and ctx.protocol_version != MODERN:
        done = ask(ctx, await answered(ctx, params, done), entry)
    return done


async def toggle(ctx: Any, kind: str) -> None:
    shelves.toggle(kind)
    await bus.publish(ToolsListChanged() if kind == "tools" else PromptsListChanged())
    if ctx.protocol_version != MODERN:
        await (ctx.session.send_tool_list_changed if kind == "tools" else ctx.session.send_prompt_list_changed)()


def ask(ctx: Any, params: Asked, entry: Entry) -> Done:
    """Return the questions of the round that the client is in, or the result when all are answered.

    The state that comes back is the number of the round: the server seals it, so that it can be believed.
    """
    rounds = [questions(ctx, part, entry) for part in entry["rounds"]]
    given = params.input_responses or {}
    now = int(params.request_state or 0)
    if now < len(rounds) and rounds[now].keys() <= given.keys() and (params.request_state or "stateful" not in entry):
        now += 1
    if now < len(rounds):
        wanted = {"inputRequests": fill(rounds[now], params.arguments or {})}
        state = {"requestState": str(now)} if "stateful" in entry else {}
        return t.InputRequiredResult.model_validate({**wanted, **state})
    heard = json.dumps({key: value.model_dump(mode="json", exclude_none=True) for key, value in given.items()})
    if isinstance(params, t.GetPromptRequestParams):
        return {"messages": [{"role": "user", "content": {"type": "text", "text": heard}}]}
    return {"content": [{"type": "text", "text": heard}]}


def questions(ctx: Any, part: dict[str, Entry], entry: Entry) -> dict[str, Entry]:
    """Return what may be asked of this client; raises -32021 for what has to be asked and may not."""
    declared = ctx.session.client_capabilities
    missing = {
        CAPABILITY[question["method"]]
        for question in part.values()
        if getattr(declared, CAPABILITY[question["method"]], None) is None
    }
    if missing and "optional" not in entry:
        raise MCPError(
            code=t.MISSING_REQUIRED_CLIENT_CAPABILITY,
            message=f"The client has to declare {', '.join(sorted(missing))}",
            data={"requiredCapabilities": {name: {} for name in missing}},
        )
    return {key: question for key, question in part.items() if CAPABILITY[question["method"]] not in missing}


async def answered(ctx: Any, params: Asked, asked: t.InputRequiredResult) -> Asked:
    """Ask a client of the older versions, and return its request as if it had come back with the answers."""
    related = ServerMessageMetadata(related_request_id=ctx.request_id)
    answers = {
        key: await ctx.session.send_request(question, ANSWERS[question.method], metadata=related)
        for key, question in (asked.input_requests or {}).items()
    }
    return params.model_copy(update={"input_responses": answers, "request_state": asked.request_state})


def schema_of(name: str) -> dict[str, Any] | None:
    entry = shelves.find("tools", name)
    return None if entry is None else entry["definition"]["inputSchema"]


server: Server[Any] = Server(
    "modern-fixture",
    version="1.0",
    cache_hints={
        "tools/list": CacheHint(ttl_ms=60_000, scope="public"),
        "prompts/list": CacheHint(ttl_ms=60_000, scope="public"),
        "resources/list": CacheHint(ttl_ms=60_000, scope="public"),
        "resources/templates/list": CacheHint(ttl_ms=60_000, scope="public"),
        "resources/read": CacheHint(ttl_ms=1_000, scope="private"),
    },
    get_tool_input_schema=schema_of,
    on_list_tools=list_tools,
    on_call_tool=call_tool,
    on_list_prompts=list_prompts,
    on_get_prompt=get_prompt,
    on_list_resources=list_resources,
    on_list_resource_templates=list_templates,
    on_read_resource=read_resource,
    on_subscribe_resource=accept,
    on_unsubscribe_resource=accept,
    on_set_logging_level=accept,
    on_completion=complete,
    on_subscriptions_listen=ListenHandler(bus),
)
server.middleware.append(RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience="modern-fixture"))


async def stdio() -> None:
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


async def http() -> None:
    app = server.streamable_http_app(streamable_http_path="/mcp")
    config = uvicorn.Config(app, log_level="error", ws="none")
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio: TCP_NODELAY needs it
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    print(json.dumps({"url": f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"}), flush=True)  # noqa: T201
    await uvicorn.Server(config).serve(sockets=[listening])


if __name__ == "__main__":
    anyio.run(http if "--http" in sys.argv else stdio)
