"""The way of a call: find who answers, ask under its own name, bring the answer into the client's era."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from msgspec import Raw

from vsm_mcp.errors import RpcError, VsmError
from vsm_mcp.gateway import destinations, faults, screening
from vsm_mcp.gateway.asked import Asked
from vsm_mcp.gateway.asking import Asking
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.messages import Request
from vsm_mcp.gateway.meta.tool import MetaTool
from vsm_mcp.gateway.tasks.passing import LIST, Tasks
from vsm_mcp.gateway.traffic import Traffic


class Calls:
    """Requests that a server has to answer, and how what goes wrong is told.

    ``own`` are the gateway's own tools, by name; those that a view offers are asked before its servers' tools.
    ``traffic`` sees calls through that need more than to be asked. ``screens`` says whether the texts of prompts are
    looked at.
    """

    def __init__(
        self, asking: Asking, own: Mapping[str, MetaTool], tasks: Tasks, traffic: Traffic, *, screens: bool = True
    ) -> None:
        self._asking = asking
        self._traffic = traffic
        self._special = traffic.router.special
        self._own = own
        self._tasks = tasks
        self._screened = screening.METHOD if screens else ""

    def begin(self, request: Request, caller: Caller) -> Asked | None:
        """Ask without waiting; ``None`` (and nothing asked) when that takes more. Raises :class:`Fault`."""
        if request.method == self._screened or self._own_tool(request, caller) is not None:
            return None
        route = destinations.find(request, caller)
        try:
            if route.server in self._special:
                return self._traffic.begin(route, request, caller)
            return self._asking.begin(route, request, caller)
        except Fault:
            raise
        except VsmError:
            return None

    async def answer(self, request: Request, caller: Caller) -> bytes | Raw:
        """Ask and return the result. Raises :class:`Fault`."""
        if request.method.startswith("tasks/"):
            return await self._of_task(request, caller)
        own = self._own_tool(request, caller)
        if own is not None:
            return await own.answer(request, caller, self.answer)
        route = destinations.find(request, caller)
        result = await _told(self._traffic.ask(route, request, caller), route.server, request.method, caller)
        return screening.screened(result, route.server) if request.method == self._screened else result

    async def alone(self, request: Request, caller: Caller) -> bytes | Raw:
        """Ask as :meth:`answer` does, for nobody behind a front: whatever goes wrong is raised as it is."""
        route = destinations.find(request, caller)
        try:
            return await self._traffic.ask(route, request, caller)
        except Fault as fault:
            raise fault.__cause__ if isinstance(fault.__cause__, RpcError) else fault from None

    async def finish(self, asked: Asked) -> bytes | Raw:
        """Return the result of what was begun. Raises :class:`Fault`."""
        return await _told(self._traffic.finish(asked), asked.route.asked, asked.request.method, asked.caller)

    async def _of_task(self, request: Request, caller: Caller) -> bytes | Raw:
        self._tasks.check(request, caller)
        if request.method == LIST:
            return await self._tasks.list(request, caller)
        target = self._tasks.target(request, caller)
        return await _told(self._tasks.ask(target, request, caller), target.named.server, request.method, caller)

    def _own_tool(self, request: Request, caller: Caller) -> MetaTool | None:
        offered = caller.view.catalogue.own
        if not offered or request.method != "tools/call":
            return None
        name = request.name
        return self._own[name] if name in offered else None


async def _told(asking: Awaitable[bytes | Raw], server: str, method: str, caller: Caller) -> bytes | Raw:
    """Await a result; a server's failure is the result of a tool call, and an error of any other request."""
    try:
        return await asking
    except Fault:
        raise
    except VsmError as error:
        failure = faults.failure_of(error, server)
        if method == "tools/call":
            return faults.tool_failure(failure, modern=caller.modern)
        raise faults.failure_fault(failure) from error
