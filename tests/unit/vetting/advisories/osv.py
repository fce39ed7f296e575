"""The API of OSV on loopback, over records that a test gives, and records for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web
from tests.unit.discovery.network.hosts import Handler, Host

from vsm_mcp.vetting.advisories.record import Advisory, match


def record(identifier: str, name: str, *events: Mapping[str, str], ecosystem: str = "npm", **more: Any) -> Any:
    """Return a record about one package with one range."""
    kind = "SEMVER" if ecosystem == "npm" else "ECOSYSTEM"
    versions = more.pop("versions", [])
    ranges = [{"type": kind, "events": list(events)}] if events else []
    package = {"ecosystem": ecosystem, "name": name}
    affected = [{"package": package, "ranges": ranges, "versions": versions}]
    return {"id": identifier, "modified": "2029-01-01T00:00:00Z", "affected": affected, **more}


def osv(records: Sequence[Any], page: int = 2) -> Handler:
    """``/v1/querybatch`` (with ``page`` ids a page) and ``/v1/vulns/ID``, as OSV documents them."""
    known = {each["id"]: each for each in records}
    read = [msgspec.convert(each, Advisory) for each in records]

    async def answer(_host: Host, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith("/v1/vulns/"):
            found = known.get(request.path.removeprefix("/v1/vulns/"))
            return web.json_response(found or {"code": 5, "message": "Bug not found."}, status=200 if found else 404)
        if request.path != "/v1/querybatch" or request.method != "POST":
            return web.json_response({"code": 5}, status=404)
        results = []
        for query in json.loads(await request.read())["queries"]:
            package = query["package"]
            matching = [
                each.id for each in read if match(each, package["ecosystem"], package["name"], query["version"])
            ]
            start = int(query.get("page_token") or 0)
            part = [{"id": one, "modified": "2029-01-01T00:00:00Z"} for one in matching[start : start + page]]
            row: dict[str, Any] = {"vulns": part} if part else {}
            if start + page < len(matching):
                row["next_page_token"] = str(start + page)
            results.append(row)
        return web.json_response({"results": results})

    return answer
