"""A scripted MCP server over stdio, in either era, that asks its client in the middle of calls.

Standard library only, and one file, as ``faulty.py``. ``python curious.py [--mode legacy|modern]``.

Tools: ``ask(method, params, count, together, strict)`` asks the client and answers with what it said;
``log(level, count)`` sends log messages; ``visit(url)`` wants a URL opened first; ``touch(uri)`` says that a resource
changed; ``count()`` counts its own calls; ``stuck()`` asks and never answers; ``say(method, params)`` sends a
notification once it has answered; ``heard()`` answers with the notifications that its client sent.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from typing import Any

MODERN = "2026-07-28"
_PREFIX = "io.modelcontextprotocol/"
_TOOLS = ("ask", "count", "heard", "log", "say", "stuck", "touch", "visit")
_LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
_QUESTION = "elicitation/create"
_FORM = {"mode": "form", "message": "Your name?", "requestedSchema": {"type": "object", "properties": {}}}


class Refusal(Exception):
    """A JSON-RPC error to answer with."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.body: dict[str, Any] = {"code": code, "message": message, **({"data": data} if data else {})}


class Curious:
    """One conversation."""

    def __init__(self, mode: str) -> None:
        self.modern = mode == "modern"
        self.lock = threading.Lock()
        self.answers: dict[str, Any] = {}
        self.arrived = threading.Condition()
        self.watched: dict[str, object] = {}
        self.level = "info"
        self.calls = 0
        self.visited: set[str] = set()
        self.asked = 0
        self.heard: list[str] = []

    def send(self, message: dict[str, Any]) -> None:
        """Write one message."""
        with self.lock:
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            sys.stdout.flush()

    def take(self, message: dict[str, Any]) -> None:
        """Take one message of the client; calls run in threads of their own."""
        if "method" not in message:
            with self.arrived:
                self.answers[message["id"]] = message.get("result", message.get("error"))
                self.arrived.notify_all()
        elif "id" not in message and message["method"] != "notifications/cancelled":
            self.heard.append(message["method"])
        elif message["method"] == "notifications/cancelled":
            self.watched = {uri: key for uri, key in self.watched.items() if key != message["params"]["requestId"]}
        else:
            threading.Thread(target=self.answer, args=(message,), daemon=True).start()

    def answer(self, message: dict[str, Any]) -> None:
        """Answer one request."""
        params = message.get("params") or {}
        try:
            result = self.result(message["id"], message["method"], params)
        except Refusal as error:
            self.send({"id": message["id"], "error": error.body})
            return
        if result is not None:
            if self.modern:
                result.setdefault("resultType", "complete")
            self.send({"id": message["id"], "result": result})
        if params.get("name") == "say":
            self.send({"method": params["arguments"]["method"], "params": params["arguments"]["params"]})

    def result(self, ident: object, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
        """Return the result of one request, or ``None`` for one that stays open."""
        if method in {"initialize", "server/discover"}:
            return self.hello(method, params)
        if method == "tools/list":
            return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in _TOOLS]}
        if method == "resources/list":
            return {"resources": [{"uri": "note://one", "name": "one"}, {"uri": "note://two", "name": "two"}]}
        if method == "logging/setLevel":
            self.level = params["level"]
            return {}
        if method == "resources/subscribe":
            self.watched[params["uri"]] = None
            return {}
        if method == "resources/unsubscribe":
            self.watched.pop(params["uri"], None)
            return {}
        if method == "subscriptions/listen":
            for uri in params["notifications"].get("resourceSubscriptions", []):
                self.watched[uri] = ident
            return None
        if method == "tools/call":
            self.calls += 1
            tool = getattr(self, f"tool_{params['name']}")
            result: dict[str, Any] | None = tool(params.get("arguments") or {}, params)
            return result
        raise Refusal(-32601, f"unknown method: {method}")

    def hello(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Shake hands in the one era that is spoken."""
        if (method == "server/discover") is not self.modern:
            raise Refusal(-32601, "not in this era")
        declared = {"tools": {}, "resources": {"subscribe": True}, "logging": {}}
        if self.modern:
            return {"supportedVersions": [MODERN], "capabilities": declared, "ttlMs": 0, "cacheScope": "private"}
        version, name = params["protocolVersion"], {"name": "curious", "version": "1"}
        return {"protocolVersion": version, "capabilities": declared, "serverInfo": name}

    # --- tools -----------------------------------------------------------------------------------------------------

    def tool_ask(self, given: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        """Ask ``count`` times at once and answer with all the answers."""
        method, count = given.get("method", _QUESTION), given.get("count", 1)
        asked = given.get("params", _FORM)
        if self.modern:
            return self.ask_again(method, asked, count, params)
        if given.get("together"):
            return content(self.put_all(method, asked, count))
        answers = [self.put(method, asked) for _ in range(count)]
        failed = given.get("strict") and any("code" in answer for answer in answers)
        return {**content(answers), "isError": bool(failed)}

    def ask_again(self, method: str, asked: object, count: int, params: dict[str, Any]) -> dict[str, Any]:
        """Ask as the modern era does: one question more in each round, until ``count``."""
        state = json.loads(params.get("requestState") or "[]")
        state += [params.get("inputResponses", {}).get(f"k{len(state)}")] if "requestState" in params else []
        if len(state) >= count:
            return {**content(state), "_meta": {"capabilities": params["_meta"][f"{_PREFIX}clientCapabilities"]}}
        questions = {f"k{len(state)}": {"method": method, "params": asked}}
        return {"resultType": "input_required", "inputRequests": questions, "requestState": json.dumps(state)}

    def put(self, method: str, params: object) -> Any:
        """Ask the client and wait for its answer."""
        with self.arrived:
            self.asked += 1
            ident = f"ask-{self.asked}"
        self.send({"id": ident, "method": method, "params": params})
        with self.arrived:
            self.arrived.wait_for(lambda: ident in self.answers)
            return self.answers.pop(ident)

    def put_all(self, method: str, params: object, count: int) -> list[Any]:
        """Ask several times at once."""
        idents = [f"side-{self.calls}-{number}" for number in range(count)]
        for ident in idents:
            self.send({"id": ident, "method": method, "params": params})
        with self.arrived:
            self.arrived.wait_for(lambda: all(ident in self.answers for ident in idents))
            return [self.answers.pop(ident) for ident in idents]

    def tool_stuck(self, _given: dict[str, Any], _params: dict[str, Any]) -> None:
        """Ask, take the question back once it was heard, and never answer."""
        self.send({"id": "stuck", "method": _QUESTION, "params": _FORM})

    def tool_log(self, given: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        """Send log messages, as far as they are wanted."""
        wanted = params["_meta"].get(f"{_PREFIX}logLevel") if self.modern else self.level
        for number in range(given.get("count", 1)):
            level = given.get("level", "info")
            if wanted is not None and _LEVELS.index(level) >= _LEVELS.index(wanted):
                self.send({"method": "notifications/message", "params": {"level": level, "data": number}})
        return content("logged")

    def tool_visit(self, given: dict[str, Any], _params: dict[str, Any]) -> dict[str, Any]:
        """Want a URL opened before anything is done (2025-11-25: error -32042)."""
        url = given["url"]
        if url in self.visited:
            return content("visited")
        self.visited.add(url)
        visit = {"mode": "url", "message": "please", "url": url, "elicitationId": "e1"}
        raise Refusal(-32042, "a URL has to be opened", {"elicitations": [visit]})

    def tool_touch(self, given: dict[str, Any], _params: dict[str, Any]) -> dict[str, Any]:
        """Say that a resource changed, if it is watched."""
        uri = given["uri"]
        if uri in self.watched:
            meta = {"_meta": {f"{_PREFIX}subscriptionId": self.watched[uri]}} if self.modern else {}
            self.send({"method": "notifications/resources/updated", "params": {"uri": uri, **meta}})
        return content(sorted(self.watched))

    def tool_say(self, _given: dict[str, Any], _params: dict[str, Any]) -> dict[str, Any]:
        """Answer; what is to be said comes afterwards, and so belongs to no call."""
        return content("soon")

    def tool_heard(self, _given: dict[str, Any], _params: dict[str, Any]) -> dict[str, Any]:
        """Say which notifications came."""
        return content(self.heard)

    def tool_count(self, _given: dict[str, Any], _params: dict[str, Any]) -> dict[str, Any]:
        """Count the calls of this process."""
        return content(self.calls)


def content(value: object) -> dict[str, Any]:
    """Return a tool's result that holds a value as JSON."""
    return {"content": [{"type": "text", "text": json.dumps(value)}]}


def main() -> None:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser(prog="curious", description="an MCP server that asks its client")
    parser.add_argument("--mode", choices=("legacy", "modern"), default="legacy", help="the era it speaks")
    curious = Curious(parser.parse_args().mode)
    for line in sys.stdin:
        curious.take(json.loads(line))


if __name__ == "__main__":
    main()
