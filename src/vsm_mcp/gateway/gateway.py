"""The one MCP endpoint behind every front: answers a request of either era, whatever carried it here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Collection, Mapping
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

from vsm_mcp import config
from vsm_mcp.gateway import capabilities, destinations, display, faults, messages, results
from vsm_mcp.gateway.announcements import Announcements
from vsm_mcp.gateway.asked import Asked
from vsm_mcp.gateway.asking import Asking
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.calls import Calls
from vsm_mcp.gateway.catalogue import PAGE_ITEMS, Catalogue
from vsm_mcp.gateway.changes import KINDS, Listener
from vsm_mcp.gateway.faults import Fault, NoSuchTool
from vsm_mcp.gateway.flights import Flights
from vsm_mcp.gateway.lookup import Favour, alike
from vsm_mcp.gateway.messages import Request, encode
from vsm_mcp.gateway.meta.consent import Consents
from vsm_mcp.gateway.meta.tools import own_tools
from vsm_mcp.gateway.narrowing import Narrowings
from vsm_mcp.gateway.needs import Needs
from vsm_mcp.gateway.observing import Observer
from vsm_mcp.gateway.sessions import Session, Sessions
from vsm_mcp.gateway.tasks import support
from vsm_mcp.gateway.tasks.following import Following
from vsm_mcp.gateway.tasks.passing import Tasks
from vsm_mcp.gateway.traffic import Traffic
from vsm_mcp.gateway.updates import Updates
from vsm_mcp.gateway.upstream import Upstream
from vsm_mcp.gateway.view import View
from vsm_mcp.gateway.vigil import Vigil
from vsm_mcp.gateway.visitors import Visitors
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.principal import LOCAL, Principal
from vsm_mcp.model.profile import Profile
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.routing.names import exposed
from vsm_mcp.routing.router import Router
from vsm_mcp.routing.table import Naming
from vsm_mcp.wire import era

_CAPABILITIES: Final = {
    "tools": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "prompts": {"listChanged": True},
    "completions": {},
    "logging": {},
}
_EMPTY: Final = results.empty(is_modern=False)


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A whole JSON-RPC message, and the code of the error it carries (0: none)."""

    body: bytes
    code: int = 0


class Limits(NamedTuple):
    """What the gateway bounds besides ``[gateway]`` of the settings. Sizes in bytes, times in seconds."""

    page_items: int = PAGE_ITEMS
    listeners: int = 1024
    requests: int = 4096
    buffered_bytes: int = 256 * 1024 * 1024
    body_seconds: float = 30.0
    keep_alive_seconds: float = 15.0
    grace_seconds: float = 3.0
    acquire_seconds: float = 50.0  # common clients wait a minute


class Gateway:
    """Answers requests from a catalogue in memory and from the servers behind ``upstream``.

    One instance serves any number of fronts at a time, all in one event loop. Lists never wait for a server; a server
    that is dead or slow costs only the calls to itself. ``profiles`` are views beside that of everything; ``needs`` is
    whoever looks after what agents lack. ``favour`` has a word in how tools are ranked for a need.
    """

    def __init__(
        self,
        upstream: Upstream,
        settings: config.Gateway | None = None,
        limits: Limits | None = None,
        *,
        name: Naming = exposed,
        profiles: Mapping[str, Profile] | None = None,
        needs: Needs | None = None,
    ) -> None:
        self.settings = settings or config.Gateway()
        self.limits = limits = limits or Limits()
        self.sessions = Sessions(self.settings.max_sessions, self.settings.session_idle_seconds, self._session_ended)
        self.updates = Updates(upstream)
        self.announcements = Announcements(self.sessions.all)
        self._upstream = upstream
        self._needs = needs
        self._name = name
        self.favour: Favour = alike
        self.views = {each.profile: self._view(each) for each in self._displays(profiles or {})}
        self.view = self.views[""]
        self.flights = Flights()
        self.vigil = Vigil(limits.keep_alive_seconds)
        self.refused: Counter[int] = Counter()  # requests over HTTP that were turned away, by status
        self.visitors = Visitors()
        self.narrowings = Narrowings(self.find_view)
        self._offers: dict[str, Offer] = {}
        self._denied: tuple[str, ...] = ()
        seconds, limit = self.settings.call_timeout_seconds, self.settings.call_limit_seconds
        self.tasks = Tasks(upstream, seconds, limit)
        self.following = Following(self.tasks)
        self.router = Router()
        self._consents = Consents()
        self._asking = Asking(upstream, seconds, limit, self.tasks, self.router.ledger)
        self.traffic = Traffic(self._asking, self.router, upstream)
        self._calls = self._made_calls()

    # --- what is served -------------------------------------------------------------------------------------------

    @property
    def catalogue(self) -> Catalogue:
        """Everything that is served now."""
        return self.view.catalogue

    def seal_with(self, key: bytes) -> None:
        """Seal what clients carry back with ``key`` (32 bytes), so that it is good for another process as well."""
        self._asking.seal_with(key)
        self._consents.seal_with(key)
        self.tasks.seal_with(key)

    def observe(self, observer: Observer | None) -> None:
        """Have somebody look at every call of a server from now on, or nobody."""
        self._asking.observer = observer

    def find_view(self, profile: str) -> View | None:
        """Return what a profile shows (``""``: everything), or ``None`` when there is no such profile."""
        return self.views.get(profile)

    def set_offers(self, offers: Mapping[str, Offer], denied: Collection[str] | None = None) -> None:
        """Serve exactly ``offers`` (server → what it offers), without the tools that ``denied`` names.

        ``denied`` holds exposed names, with ``*`` and ``?`` as in file names; ``None`` leaves it as it is. Clients
        that listen are told which lists changed.
        """
        self._offers = dict(offers)
        self.announcements.forget(self._offers)
        self.traffic.show(self._offers)
        if denied is not None:
            self._denied = tuple(denied)
        for view in self.views.values():
            view.show(self._offers, self._denied, None if view is self.view else self.view.catalogue)

    def configure(self, settings: config.Gateway, profiles: Mapping[str, Profile]) -> None:
        """Have other settings count from now on, but for those that are read when listening begins.

        Clients of a profile that is no more are cut off; those of one that shows other things are told.
        """
        self.settings = settings
        self.sessions.configure(settings.max_sessions, settings.session_idle_seconds)
        self.tasks.wait(settings.call_timeout_seconds, settings.call_limit_seconds)
        self._asking.wait(settings.call_timeout_seconds, settings.call_limit_seconds)
        self._calls = self._made_calls()
        displays = {each.profile: each for each in self._displays(profiles)}
        for profile in self.views.keys() - displays.keys():
            self.views.pop(profile).changes.close()
        for profile, each in displays.items():
            if profile in self.views:
                self.views[profile].display = each
            else:
                self.views[profile] = self._view(each)
        self.set_offers(self._offers)

    def set_offer(self, server: str, offer: Offer) -> None:
        """Serve what one server offers, in place of what it offered before."""
        self.set_offers({**self._offers, server: offer})

    def remove_offer(self, server: str) -> None:
        """Serve nothing of ``server`` any more; idempotent."""
        self.set_offers({name: offer for name, offer in self._offers.items() if name != server})

    def expel(self, name: str) -> None:
        """Cut off whatever a principal has open: its sessions, its streams, its calls."""
        self.sessions.expel(name)
        self.visitors.expel(name)

    def close(self) -> None:
        """End every stream that waits for news; calls in flight are the fronts' to end."""
        for view in self.views.values():
            view.changes.close()
        self._asking.close()
        self.tasks.close()

    def _view(self, each: display.Display) -> View:
        return View(self.limits.listeners, self.limits.page_items, self._name, display=each, favour=self._favoured)

    def _favoured(self, server: str, tool: str) -> float:
        return self.favour(server, tool)

    def _displays(self, profiles: Mapping[str, Profile]) -> list[display.Display]:
        acquires = self._needs is not None and self._needs.acquires
        return display.all_of(self.settings, profiles, acquires=acquires)

    def _made_calls(self) -> Calls:
        patience = min(self.settings.call_timeout_seconds, self.limits.acquire_seconds)
        screens = self.settings.hidden_prompts == "refuse"
        own = own_tools(self._needs, patience, self._consents)
        return Calls(self._asking, own, self.tasks, self.traffic, screens=screens)

    # --- answering ------------------------------------------------------------------------------------------------

    def at_once(self, request: Request, caller: Caller) -> Answer | None:
        """Answer what needs no server, without waiting; ``None`` for a method that :meth:`answer` has to ask about."""
        if request.method in destinations.METHODS:
            return None
        try:
            body = self._own(request, caller)
        except Fault as error:
            return Answer(messages.fault(request.id, error), error.rpc_code)
        return None if body is None else Answer(messages.result(request.id, body))

    def begin(self, request: Request, caller: Caller) -> Asked | None:
        """Ask a server that is ready, without waiting; ``None`` when :meth:`answer` has to do it. Raises no fault."""
        try:
            return self._calls.begin(request, caller)
        except Fault:
            return None

    async def answer(self, request: Request, caller: Caller) -> Answer:
        """Answer a request with the help of a server; never raises for anything a client or a server did.

        Cancelling the caller cancels the call at the server.
        """
        return await self._answered(request.id, self._calls.answer(request, caller))

    async def finish(self, asked: Asked) -> Answer:
        """Answer what was begun, as :meth:`answer`."""
        return await self._answered(asked.request.id, self._calls.finish(asked))

    async def call(self, tool: str, arguments: bytes) -> bytes | Raw:
        """Call a tool for whoever sits at this machine, and return its result as a modern client gets it.

        ``arguments`` is a raw JSON object. Nobody can be asked anything meanwhile. Raises :class:`Fault`, and any other
        :class:`VsmError` that says why there is no result: :class:`RpcError` where the server refuses.
        """
        params = {"name": Raw(encode(tool)), "arguments": Raw(arguments)}
        request = Request(messages.NO_ID, "tools/call", params, None)
        return await self._calls.alone(request, Caller(self.view, modern=True))

    def initialize(
        self, request: Request, view: View, now: float, principal: Principal = LOCAL
    ) -> tuple[Answer, Session | None]:
        """Open a session for a legacy client (specification 2025-11-25, "Lifecycle: Version Negotiation").

        The version asked for is agreed on if it is one of the handshake versions, else the latest of those is offered.
        """
        try:
            wanted = request.text("protocolVersion")
        except Fault as error:
            return Answer(messages.fault(request.id, error), error.rpc_code), None
        version = wanted if wanted in era.HANDSHAKE else era.LATEST_HANDSHAKE
        session = self.sessions.open(version, view, now, principal)
        if session is None:
            full = Fault(era.INTERNAL_ERROR, "too many sessions are open and busy; try again later")
            return Answer(messages.fault(request.id, full), full.rpc_code), None
        session.capabilities = capabilities.read(request.params.get("capabilities"))
        result: dict[str, object] = {
            "protocolVersion": version,
            "capabilities": _CAPABILITIES | support.declared(view.catalogue.tasking.values(), modern=False),
            "serverInfo": Raw(results.SERVER_INFO),
            "instructions": view.catalogue.instructions,
        }
        return Answer(messages.result(request.id, encode(result))), session

    # --- news -----------------------------------------------------------------------------------------------------

    def hear(self, session: Session) -> Listener:
        """Return a new listener for a session's news, in place of the one it had: that one's stream ends."""
        old, session.listener = session.listener, session.view.changes.listen(frozenset(KINDS))
        if old is not None:
            session.listener.inherit(old)
            self.updates.hand_over(old, session.listener)
            old.end()
            session.view.changes.leave(old)
        return session.listener

    def pause_hearing(self, session: Session) -> None:
        """Take note that a session's stream has ended: news is kept for it only if it waits for a resource."""
        if session.listener is None:
            return
        if self.updates.listens(session.listener):
            self.hear(session)
        else:
            self.unhear(session.view, session.listener)
            session.listener = None

    def unhear(self, view: View, listener: Listener) -> None:
        """Forget a listener. Idempotent."""
        self.updates.leave(listener)
        self.following.leave(listener)
        view.changes.leave(listener)

    def updated(self, server: str, uri: str) -> None:
        """Tell whoever listens that a resource of ``server`` changed."""
        self.updates.updated(server, uri)

    def roots_changed(self, session: Session) -> None:
        """Tell the servers that work for one session alone that its client's roots changed: no others asked for them.

        Specification 2025-11-25, "Roots: Root List Changes".
        """
        if "roots" in session.capabilities:
            self._upstream.tell(session.ident, "notifications/roots/list_changed")

    def end_client(self, who: str) -> None:
        """Take note that a client with a line or a session of its own is gone: what runs for it alone is ended."""
        self._upstream.end_session(who)
        self.tasks.forget(who)

    def _session_ended(self, session: Session) -> None:
        self.end_client(session.ident)
        if session.listener is not None:
            self.unhear(session.view, session.listener)

    def cancelled(self, who: str, params: Raw | None) -> None:
        """Give up the request that a ``notifications/cancelled`` of ``who`` names, if it is still being answered."""
        try:
            ident = messages.decode_object(params or Raw(b"{}")).get("requestId")
        except UNREADABLE:
            return
        if ident is not None:
            self.flights.withdraw((who, bytes(ident)))

    def _own(self, request: Request, caller: Caller) -> bytes | None:
        method, modern = request.method, caller.modern
        listing = caller.view.catalogue.listings.get(method)
        if listing is not None:
            cursor = request.params.get("cursor")
            return listing.page(
                "" if cursor is None or cursor == Raw(b"null") else request.text("cursor"), modern=modern
            )
        if modern:
            return self._discovered(caller.view) if method == "server/discover" else None
        if method == "ping":
            return _EMPTY
        if method == "logging/setLevel":
            level = request.text("level")
            if level not in era.LOG_LEVELS:
                raise Fault(era.INVALID_PARAMS, f"level is one of {', '.join(era.LOG_LEVELS)}")
            if caller.session is not None:
                caller.session.log_level = level
            return _EMPTY
        if method in {"resources/subscribe", "resources/unsubscribe"} and caller.session is not None:
            return self._subscribed(request, caller.session)
        return None

    def _subscribed(self, request: Request, session: Session) -> bytes:
        """Note a handshake client's interest in a resource; unknown ones and unwatchable ones are an error."""
        uri = request.text("uri")
        if request.method == "resources/unsubscribe":
            if session.listener is not None:
                self.updates.unlisten(session.listener, uri)
            return _EMPTY
        if session.listener is None and session.view.changes.full:
            raise Fault(era.INTERNAL_ERROR, "too many clients listen for news; try again later")
        if not self.updates.listen(session.listener or self.hear(session), session.view, uri):
            raise faults.unknown_resource(uri, (), modern=False)
        return _EMPTY

    async def _answered(self, ident: bytes, asking: Awaitable[bytes | Raw]) -> Answer:
        try:
            return Answer(messages.result(ident, await asking))
        except Fault as error:
            if isinstance(error, NoSuchTool) and self._needs is not None:
                self._needs.missed(error.tool)
            return Answer(messages.fault(ident, error), error.rpc_code)

    @staticmethod
    def _discovered(view: View) -> bytes:
        members = encode(
            {
                "supportedVersions": [era.MODERN],
                "capabilities": _CAPABILITIES | support.declared(view.catalogue.tasking.values(), modern=True),
                "instructions": view.catalogue.instructions,
            }
        )
        return results.modern(members[1:-1], cacheable=True)
