"""``acquire_capability``: from an agent's need to tools it can call, as far as the policy lets that happen."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw

from vsm_mcp.errors import BadArgument
from vsm_mcp.gateway import messages
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.messages import Request, encode
from vsm_mcp.gateway.meta import definitions
from vsm_mcp.gateway.meta.consent import Consents, Said
from vsm_mcp.gateway.meta.tool import Onward, arguments, refused, result
from vsm_mcp.gateway.needs import Acquired, Agreed, Needs, Tell

_MOST_ASKED: Final = 500
_SHOWN: Final = 24
_WORKING: Final = Acquired(
    outcome="working",
    message=f"It is still under way and goes on. Call {definitions.ACQUIRE} again with the same need to learn the end.",
)


class _Arguments(msgspec.Struct):
    need: Annotated[str, Meta(max_length=_MOST_ASKED)]


class AcquireCapability:
    """Answers ``acquire_capability`` within ``seconds``; the acquisition itself may take longer and goes on.

    Where a person has to agree, and may through the client, the client is asked to ask: in the middle of the call, or
    by a result that asks and is answered with the next call, as its era has it.
    """

    def __init__(self, needs: Needs, seconds: float, consents: Consents) -> None:
        self._needs = needs
        self._seconds = seconds
        self._consents = consents

    async def answer(self, request: Request, caller: Caller, _onward: Onward) -> bytes | Raw:
        """Return what was acquired, or what a person has to do, or the question whether it may be.

        Raises :class:`Fault` for a state that is not ours.
        """
        try:
            need = " ".join(arguments(request, _Arguments).need.split())
            if not need:
                raise BadArgument("need is empty: say what is lacking")
        except BadArgument as error:
            return refused(definitions.ACQUIRE, error, caller)
        said = self._consents.answer(request, caller)
        if said is not None:
            acquired = await self._after(said, need, request, caller)
        else:
            acquired = await self._needs.acquire(need, _teller(request, caller), self._seconds) or _WORKING
            if acquired.consent is not None and self._consents.can_ask(request, caller):
                if caller.modern:
                    return self._consents.question(acquired.consent, request, caller)
                live = await self._consents.ask(acquired.consent, request, caller)
                acquired = acquired if live is None else await self._after(live, need, request, caller)
        return await self._told(need, acquired, caller)

    async def _after(self, said: Said, need: str, request: Request, caller: Caller) -> Acquired:
        """Go on after a person said yes or no."""
        via = caller.principal.name
        if said.yes:
            agreed = Agreed(ref=said.ref, via=via)
            return await self._needs.acquire(need, _teller(request, caller), self._seconds, agreed) or _WORKING
        if said.no:
            self._needs.declined(need, via)
        message = "a person said no" if said.no else "nobody answered whether it may be installed"
        return Acquired(outcome="rejected", ref=said.ref, message=message)

    async def _told(self, need: str, acquired: Acquired, caller: Caller) -> bytes | Raw:
        tools = await _tools_of(acquired.server, need, caller) if acquired.outcome == "served" else []
        shown = msgspec.structs.asdict(acquired)
        del shown["consent"]
        structured = {"need": need, **shown, "tools": tools[:_SHOWN]}
        text = _served(acquired, tools, caller) if acquired.outcome == "served" else _not_served(acquired)
        return result(text, structured, caller, is_error=acquired.outcome not in ("served", "working"))


def _teller(request: Request, caller: Caller) -> Tell:
    """Return what passes a line on as progress, where the client asked for progress and can be reached."""
    token = (request.meta or {}).get("progressToken")
    back = caller.back
    step = 0

    def tell(line: str) -> None:
        nonlocal step
        if token is None or back is None:
            return
        step += 1
        params = encode({"progressToken": token, "progress": step, "message": line})
        back.notify(messages.notification("notifications/progress", params))

    return tell


async def _tools_of(server: str, need: str, caller: Caller) -> list[str]:
    """Return the tools of a server that the caller sees, those that fit the need before the others."""
    catalogue = caller.view.catalogue
    if server not in catalogue.shelves:
        return []
    fitting = await catalogue.lookup.find(need, _SHOWN, server)
    others = sorted(name for name, route in catalogue.table.tools.items() if route.server == server)
    return list(dict.fromkeys((*(card.name for card, _ in fitting.tools), *others)))


def _served(acquired: Acquired, tools: list[str], caller: Caller) -> str:
    ready = f"The server {acquired.server} ({acquired.ref}) is in service."
    if not tools:
        profile = caller.view.display.profile
        where = f"the profile {profile}" if profile else "this gateway"
        return f"{ready} But {where} shows none of its tools: a person has to change that in vsm-mcp.toml."
    more = f" and {len(tools) - _SHOWN} more" if len(tools) > _SHOWN else ""
    use = (
        f"Look at one with {definitions.DESCRIBE}, call it with {definitions.CALL}."
        if caller.view.catalogue.searching
        else "They are in the list of tools now: ask for it again if you do not see them."
    )
    return f"{ready} Its tools: {', '.join(tools[:_SHOWN])}{more}. {use}"


def _not_served(acquired: Acquired) -> str:
    lines = [f"{acquired.outcome}: {acquired.message}"]
    if acquired.person:
        lines.append(f"A person has to act: {acquired.person}. Tell your user.")
    return "\n".join(lines)
