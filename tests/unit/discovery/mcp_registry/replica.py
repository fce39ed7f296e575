"""A replica of the registry's API, as its OpenAPI document has it: pages, cursors, ``updated_since``, deletions."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from tests.unit.discovery.network.hosts import Handler, Host

OFFICIAL = "io.modelcontextprotocol.registry/official"


def server(name: str, description: str, **more: Any) -> dict[str, Any]:
    """A server.json of the newest form."""
    npm = {
        "registryType": "npm",
        "identifier": name.rsplit("/", 1)[-1],
        "version": "1.0.0",
        "transport": {"type": "stdio"},
    }
    return {"name": name, "description": description, "version": "1.0.0", "packages": [npm], **more}


class Replica:
    """Lists ``servers`` (name → (server.json, when it changed, status)) ``size`` at a time."""

    def __init__(self, *servers: dict[str, Any], size: int = 2, version: str = "v0.1") -> None:
        self.size = size
        self.version = version
        self.listed: dict[str, tuple[dict[str, Any], str, str]] = {}
        self.broken_after: int | None = None
        self.fault: Handler | None = None
        for each in servers:
            self.put(each)

    def put(self, each: dict[str, Any], changed: str = "2029-01-01T00:00:00Z", status: str = "active") -> None:
        """List a server."""
        self.listed[each["name"]] = (each, changed, status)

    async def __call__(self, host: Host, request: web.BaseRequest) -> web.StreamResponse:
        if request.path != f"/{self.version}/servers":
            return web.json_response({"error": "not found"}, status=404)
        if self.fault is not None and (self.broken_after is None or self.broken_after <= 0):
            return await self.fault(host, request)
        if self.broken_after is not None:
            self.broken_after -= 1
        return web.json_response(self.page(dict(request.query)))

    def page(self, asked: dict[str, str]) -> dict[str, Any]:
        """Return one page, as the API describes it."""
        since = asked.get("updated_since", "")
        rows = [
            {"server": each, "_meta": {OFFICIAL: {"status": status, "updatedAt": changed, "isLatest": True}}}
            for _, (each, changed, status) in sorted(self.listed.items())
            if changed >= since and (status != "deleted" or since)
        ]
        begin = int(asked.get("cursor", "0"))
        metadata: dict[str, Any] = {"count": len(rows[begin : begin + self.size])}
        if begin + self.size < len(rows):
            metadata["nextCursor"] = str(begin + self.size)
        return {"servers": rows[begin : begin + self.size], "metadata": metadata}
