"""A scripted MCP server over stdio, in either era, that makes tasks of calls.

Standard library only, and one file, as ``faulty.py``. ``python tasked.py [--mode legacy|modern] [--without …]``. Many
of its tools are those that the conformance suite wants of the tasks extension (SEP-2663); see ``TOOLS``. Each takes
``poll`` (milliseconds), which is what its task suggests; ``task`` and ``look`` take the place of what a task says when
it is made and when it is looked at, ``early`` has it ask before it is asked for its result, and so many looks as
``deaf`` says are not answered.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

MODERN = "2026-07-28"
EXTENSION = "io.modelcontextprotocol/tasks"
RELATED = "io.modelcontextprotocol/related-task"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
PAGE = 2
FORM = {"mode": "form", "requestedSchema": {"type": "object", "properties": {}}}
CALLS: dict[str, Any] = {"tools": {"call": {}}}
ENDED = ("completed", "failed", "cancelled")


class Refusal(Exception):
    """A JSON-RPC error to answer with."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.body: dict[str, Any] = {"code": code, "message": message, **({"data": data} if data else {})}


LACKING = Refusal(-32021, "needs tasks", {"requiredCapabilities": {"extensions": {EXTENSION: {}}}})


class Cancelled(Exception):
    """The task was cancelled while it was worked on."""


Work = Callable[["Job"], "dict[str, Any]"]


class Job:
    """One task. ``changed`` is set whenever something about it did."""

    def __init__(self, server: Tasked, ident: str, given: dict[str, Any]) -> None:
        self.server = server
        self.ident = ident
        self.given = given
        self.status = "working"
        self.message = "begun"
        self.looks = 0
        self.asks: dict[str, Any] = {}
        self.answers: dict[str, Any] = {}
        self.end: dict[str, Any] = {}
        self.changed = threading.Condition()
        self.listeners: set[Any] = set()

    def state(self) -> dict[str, Any]:
        """Return the task in the words of the era."""
        unit = "Ms" if self.server.modern else ""
        times = {"createdAt": "2026-01-01T00:00:00Z", "lastUpdatedAt": "2026-01-01T00:00:00Z", f"ttl{unit}": 60_000}
        poll = {f"pollInterval{unit}": self.given.get("poll", 100)}
        return {"taskId": self.ident, "status": self.status, "statusMessage": self.message, **times, **poll}

    def detailed(self) -> dict[str, Any]:
        """Return it with what belongs to its state in the modern era."""
        more: dict[str, Any] = {"inputRequests": dict(self.asks)} if self.status == "input_required" else {}
        return {**self.state(), **more, **self.end}

    def become(self, status: str, message: str, **end: Any) -> None:
        """Change the state and tell whoever listens; what has ended stays as it is."""
        with self.changed:
            if self.status in ENDED:
                return
            self.status, self.message, self.end = status, message, end
            self.changed.notify_all()
        self.server.tell(self)

    def rest(self, seconds: float) -> None:
        """Work for some seconds, unless cancelled."""
        with self.changed:
            if self.changed.wait_for(lambda: self.status == "cancelled", seconds):
                raise Cancelled

    def looked_at(self, looks: int | None = None) -> None:
        """Wait until the client has asked how it is more than ``looks`` times (default: once more)."""
        with self.changed:
            before = self.looks if looks is None else looks
            self.changed.wait_for(lambda: self.looks > before)

    def ask(self, **forms: str) -> dict[str, Any]:
        """Ask the client and return the answers by key."""
        for key, text in forms.items():
            self.asks[key] = {"method": "elicitation/create", "params": {**FORM, "message": text}}
        self.become("input_required", "waiting for its client")
        if self.given.get("early"):
            self.server.pass_on(self)
        with self.changed:
            self.changed.wait_for(lambda: self.status == "cancelled" or not (self.asks or forms.keys() - self.answers))
        if self.status == "cancelled":
            raise Cancelled
        self.become("working", "got its answers")
        return {key: self.answers[key] for key in forms}

    def answered(self, key: str, answer: Any) -> None:
        """Take one answer; those that nobody waits for are dropped."""
        with self.changed:
            if self.asks.pop(key, None) is not None or not self.server.modern:
                self.answers[key] = answer
            self.changed.notify_all()

    def run(self, work: Work) -> None:
        """Do the work in a thread of its own."""
        try:
            result = work(self)
        except Cancelled:
            return
        except Refusal as error:
            self.become("failed", str(error), error=error.body)
            return
        # Before the extension a result that is an error is a failed task; with it, it is a completed one.
        failed = result.get("isError") and not self.server.modern
        self.become("failed" if failed else "completed", "done", result=result)


class Tasked:
    """One conversation."""

    def __init__(self, mode: str, without: list[str]) -> None:
        self.modern = mode == "modern"
        self.without = without
        self.lock = threading.Lock()
        self.jobs: dict[str, Job] = {}
        self.waiting: dict[Any, tuple[Job, str]] = {}

    def send(self, message: dict[str, Any]) -> None:
        """Write one message."""
        with self.lock:
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            sys.stdout.flush()

    def take(self, message: dict[str, Any]) -> None:
        """Take one message of the client; requests are answered in threads of their own."""
        if "method" not in message:
            self._answered(message)
        elif message["method"] == "notifications/cancelled":
            for job in self.jobs.values():
                job.listeners.discard(message["params"]["requestId"])
        elif "id" in message:
            threading.Thread(target=self._answer, args=(message,), daemon=True).start()

    def _answer(self, message: dict[str, Any]) -> None:
        try:
            result = self._result(message["id"], message["method"], message.get("params") or {})
        except Refusal as error:
            self.send({"id": message["id"], "error": error.body})
            return
        if result is not None:
            if self.modern:
                result.setdefault("resultType", "complete")
            self.send({"id": message["id"], "result": result})

    def _result(self, ident: Any, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
        if method in {"initialize", "server/discover"}:
            return self._hello(method, params)
        if method == "tools/list":
            return {"tools": self._listed()}
        if method == "tools/call":
            return self._call(ident, params)
        if method == "subscriptions/listen":
            self._listen(ident, params)
            return None
        if method.startswith("tasks/") and "tasks" not in self.without:
            return self._about_task(method, params)
        raise Refusal(-32601, f"unknown method: {method}")

    def _hello(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if (method == "server/discover") is not self.modern:
            raise Refusal(-32601, "not in this era")
        takes: dict[str, Any] = {name: {} for name in ("list", "cancel") if name not in self.without}
        tasks = {"extensions": {EXTENSION: {}}} if self.modern else {"tasks": {**takes, "requests": CALLS}}
        declared = {"tools": {}, **({} if "tasks" in self.without else tasks)}
        if self.modern:
            return {"supportedVersions": [MODERN], "capabilities": declared, "ttlMs": 0, "cacheScope": "private"}
        version, name = params["protocolVersion"], {"name": "tasked", "version": "1"}
        return {"protocolVersion": version, "capabilities": declared, "serverInfo": name}

    def _listed(self) -> list[dict[str, Any]]:
        execution = {name: {"execution": {"taskSupport": level}} for name, (level, _) in TOOLS.items() if level}
        return [{"name": name, "inputSchema": {"type": "object"}, **execution.get(name, {})} for name in TOOLS]

    # --- calls -----------------------------------------------------------------------------------------------------

    def _call(self, ident: Any, params: dict[str, Any]) -> dict[str, Any] | None:
        name, given = params["name"], params.get("arguments") or {}
        if name not in TOOLS:
            raise Refusal(-32602, f"unknown tool: {name}")
        level, work = TOOLS[name]
        as_task = _declares(params) if self.modern else "task" in params
        if not level or "tasks" in self.without or (not as_task and level == "optional"):
            return work(Job(self, "", given))
        if not as_task:
            raise LACKING if self.modern else Refusal(-32601, "call it as a task")
        asked = self._ask_first(params) if name == "test_tool_with_task" else given
        if "inputRequests" in asked:
            return asked
        self._make(ident, work, asked, params)
        return None

    def _make(self, ident: Any, work: Work, given: dict[str, Any], params: dict[str, Any]) -> None:
        with self.lock:
            job = self.jobs[str(len(self.jobs) + 1)] = Job(self, str(len(self.jobs) + 1), given)
        job.given["token"] = (params.get("_meta") or {}).get("progressToken")
        made = given.get("task", job.state())
        result = {"resultType": "task", **made} if self.modern else {"task": made}
        self.send({"id": ident, "result": result})
        threading.Thread(target=job.run, args=(work,), daemon=True).start()

    def _ask_first(self, params: dict[str, Any]) -> dict[str, Any]:
        ask = {"method": "elicitation/create", "params": {**FORM, "message": "Your name?"}}
        answers = params.get("inputResponses") or {}
        if "user_name" in answers:
            return {"said": answers["user_name"]}
        if self.modern:
            return {"resultType": "input_required", "inputRequests": {"user_name": ask}, "requestState": "s"}
        first = Job(self, "", {})
        self.waiting[id(first)] = (first, "said")
        self.send({"id": id(first), **ask})
        with first.changed:
            first.changed.wait_for(lambda: first.answers)
        return first.answers

    # --- requests about tasks --------------------------------------------------------------------------------------

    def _about_task(self, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
        if self.modern and not _declares(params):
            raise LACKING
        if method == "tasks/list" and not self.modern and "list" not in self.without:
            end = int(params.get("cursor", 0)) + PAGE
            more = {"nextCursor": str(end)} if end < len(self.jobs) else {}
            return {"tasks": [job.state() for job in self.jobs.values()][end - PAGE : end], **more}
        job = self.jobs.get(params.get("taskId", ""))
        if job is None:
            raise Refusal(-32602, "Failed to retrieve task: Task not found")
        if method == "tasks/get":
            return self._look(job)
        if method == "tasks/cancel" and "cancel" not in self.without:
            return self._cancel(job)
        if method == "tasks/update" and self.modern:
            for key, answer in params["inputResponses"].items():
                job.answered(key, answer)
            return {}
        if method == "tasks/result" and not self.modern:
            return self._fetch(job)
        raise Refusal(-32601, f"unknown method: {method}")

    def _look(self, job: Job) -> dict[str, Any] | None:
        with job.changed:
            seen = job.detailed() if self.modern else job.state()
            job.looks += 1
            job.changed.notify_all()
        return {**seen, **job.given.get("look", {})} if job.looks > job.given.get("deaf", 0) else None

    def _cancel(self, job: Job) -> dict[str, Any]:
        if job.status in ENDED and not self.modern:
            raise Refusal(-32602, f"Cannot cancel task: already in terminal status '{job.status}'")
        job.become("cancelled", "cancelled by its client")
        return {} if self.modern else job.state()

    def _fetch(self, job: Job) -> dict[str, Any]:
        while job.status not in ENDED:
            self.pass_on(job)
            with job.changed:
                job.changed.wait_for(lambda: job.asks or job.status in ENDED)
        if "error" in job.end:
            error = job.end["error"]
            raise Refusal(error["code"], error["message"], error.get("data"))
        if "result" not in job.end:
            raise Refusal(-32603, "the task has no result")
        return {**job.end["result"], "_meta": {RELATED: {"taskId": job.ident}}}

    def pass_on(self, job: Job) -> None:
        """Send the questions of a task, once each."""
        with job.changed:
            asks, job.asks = job.asks, {}
        for key, ask in asks.items():
            ident = f"{job.ident}-{key}"
            self.waiting[ident] = (job, key)
            params = {**ask["params"], "_meta": {RELATED: {"taskId": job.ident}}}
            self.send({"id": ident, "method": ask["method"], "params": params})

    def _answered(self, message: dict[str, Any]) -> None:
        job, key = self.waiting.pop(message["id"])
        answer: Any = message.get("result", message.get("error"))
        if job.ident and "result" in message and answer["_meta"][RELATED]["taskId"] != job.ident:
            os._exit(2)
        job.answered(key, answer)

    def _listen(self, ident: Any, params: dict[str, Any]) -> None:
        if not _declares(params):
            raise LACKING
        wanted = params["notifications"].get("taskIds", [])
        for name in wanted:
            self.jobs[name].listeners.add(ident)
        told = {"notifications": {"taskIds": wanted}, "_meta": {SUBSCRIPTION: ident}}
        self.send({"method": "notifications/subscriptions/acknowledged", "params": told})

    def tell(self, job: Job) -> None:
        """Tell whoever listens how a task fares."""
        if not self.modern:
            if "news" not in self.without:
                self.send({"method": "notifications/tasks/status", "params": job.state()})
            return
        for ident in tuple(job.listeners):
            params = {**job.detailed(), "_meta": {SUBSCRIPTION: ident}}
            self.send({"method": "notifications/tasks", "params": params})


def content(value: object) -> dict[str, Any]:
    """Return a tool's result: a text, or anything else as JSON."""
    return {"content": [{"type": "text", "text": value if isinstance(value, str) else json.dumps(value)}]}


def _declares(params: dict[str, Any]) -> bool:
    declared = (params.get("_meta") or {}).get(CAPABILITIES) or {}
    return EXTENSION in (declared.get("extensions") or {})


# --- tools -----------------------------------------------------------------------------------------------------------


def _slow(job: Job, seconds: float = 0) -> dict[str, Any]:
    job.rest(job.given.get("seconds", seconds))
    return content(f"computed {job.given.get('label', '')}")


def _broken(_job: Job) -> dict[str, Any]:
    raise Refusal(-32603, "the machine broke", {"part": "wheel"})


def _abandoned(job: Job) -> dict[str, Any]:
    job.become("cancelled", "nobody wants it")
    raise Cancelled


def _dies(job: Job) -> dict[str, Any]:
    job.looked_at(0)
    os._exit(1)


def _stages(job: Job) -> dict[str, Any]:
    for number in range(job.given.get("count", 2)):
        job.looked_at()
        job.become("working", f"stage {number}")
    job.looked_at()
    job.looked_at()  # what the first look saw has been heard by now
    if job.given.get("token") is not None:
        progress = {"progressToken": job.given["token"], "progress": 1, "_meta": {RELATED: {"taskId": job.ident}}}
        job.server.send({"method": "notifications/progress", "params": progress})
    return content("staged")


TOOLS: dict[str, tuple[str, Work]] = {
    "greet": ("", lambda job: content(f"Hello, {job.given.get('name', 'you')}!")),
    "ledger": ("", lambda job: content({each.ident: [each.status, each.looks] for each in job.server.jobs.values()})),
    "slow_compute": ("optional", _slow),
    "failing_job": ("required", lambda _job: {**content("it did not work"), "isError": True}),
    "protocol_error_job": ("required", _broken),
    "confirm_delete": ("required", lambda job: content(job.ask(confirm=f"Delete {job.given['filename']}?"))),
    "multi_input": ("required", lambda job: content(job.ask(name="Your name?", confirm="Sure?"))),
    "test_tool_with_task": ("required", lambda job: content(job.given["said"])),
    "never": ("required", lambda job: _slow(job, 3600)),
    "abandoned": ("required", _abandoned),
    "dies": ("required", _dies),
    "stages": ("required", _stages),
}


def main() -> None:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser(prog="tasked", description="an MCP server that makes tasks of calls")
    parser.add_argument("--mode", choices=("legacy", "modern"), default="legacy", help="the era it speaks")
    parser.add_argument("--without", nargs="*", default=[], help="what it does not do: tasks, list, cancel, news")
    chosen = parser.parse_args()
    tasked = Tasked(chosen.mode, chosen.without)
    for line in sys.stdin:
        tasked.take(json.loads(line))


if __name__ == "__main__":
    main()
