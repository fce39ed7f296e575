"""Reads a project's page of a simple index (PEP 503 HTML, PEP 691 JSON) into the shape of PyPI's JSON API."""

from __future__ import annotations

import importlib
from typing import Any, Final

import msgspec
from packaging.version import InvalidVersion, Version

JSON_FIRST: Final = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
_MARKUP: Final = b"<"
_KINDS: Final = {"wheel": "bdist_wheel", "sdist": "sdist"}


def read_project(name: str, body: bytes, url: str) -> dict[str, Any]:
    """Return ``{"info", "releases", "urls"}`` of a page; an empty body is a project without files.

    Raises ``ValueError`` when the page is neither.
    """
    releases: dict[str, list[dict[str, Any]]] = {}
    for package in _packages(name, body, url):
        if package.version is None or package.package_type not in _KINDS:
            continue
        releases.setdefault(package.version, []).append(
            {
                "filename": package.filename,
                "url": package.url.split("#", 1)[0],
                "digests": dict(package.digests),
                "packagetype": _KINDS[package.package_type],
                "requires_python": package.requires_python,
                "yanked": package.is_yanked,
                "size": package.size,
                "upload_time_iso_8601": package.upload_time.isoformat() if package.upload_time else None,
            }
        )
    newest = max(releases, key=_order, default="")
    files = releases.get(newest, [])
    requires = next((file["requires_python"] for file in files if file["requires_python"]), None)
    info = {"name": name, "version": newest, "requires_python": requires}
    return {"info": info, "releases": releases, "urls": files}


def _packages(name: str, body: bytes, url: str) -> list[Any]:
    if not body:
        return []
    # imported by name, when needed: it brings in requests and bs4, 0.3 s that most commands can do without
    page = importlib.import_module("pypi_simple").ProjectPage
    if body.lstrip()[:1] == _MARKUP:
        return list(page.from_html(name, body, base_url=url).packages)
    return list(page.from_json_data(msgspec.json.decode(body), base_url=url).packages)


def _order(version: str) -> tuple[bool, Version]:
    try:
        parsed = Version(version)
    except InvalidVersion:
        return (False, Version("0"))
    return (not parsed.is_prerelease, parsed)
