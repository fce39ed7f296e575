"""Package metadata → facts. Pure; whatever a registry sends, what cannot be read is left out.

Sources: the npm registry's package metadata (docs/responses/package-metadata.md of npm/registry) and PyPI's JSON API
(``/pypi/NAME/json``); a simple index (PEP 691) in place of the latter holds fewer facts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.ref import Ref


def npm_facts(ref: Ref, packument: Mapping[str, Any]) -> Candidate:
    """Return what a packument says of the version of ``ref``, or of ``latest``."""
    version = ref.version or _text(_map(packument.get("dist-tags")).get("latest"))
    released = _map(_map(packument.get("versions")).get(version))
    source = {**packument, **released}
    readme = _text(packument.get("readme")) or _text(released.get("readme"))
    facts = PackageFacts(
        version=version,
        licence=_licence(source.get("license")),
        published=_text(_map(packument.get("time")).get(version)) or None,
        homepage=_text(source.get("homepage")) or None,
        repository=_repository(source.get("repository")),
        requires_node=_text(_map(released.get("engines")).get("node")) or None,
        dependencies=len(_map(released.get("dependencies"))) if released else None,
        maintainers=len(_list(packument.get("maintainers"))) or None,
        deprecated=bool(released.get("deprecated")) if released else None,
        readme_length=len(readme) if readme else None,
        systems=" ".join(filter(None, map(_text, _list(released.get("os"))))) or None,
    )
    words = " ".join(_text(word) for word in _list(source.get("keywords"))[:40])
    return Candidate(ref=ref, name="", text=f"{_text(source.get('description'))} {words}".strip(), facts=facts)


def pypi_facts(ref: Ref, project: Mapping[str, Any]) -> Candidate:
    """Return what a project's JSON says of its latest version."""
    info = _map(project.get("info"))
    urls = {name.lower(): _text(url) for name, url in _map(info.get("project_urls")).items() if isinstance(name, str)}
    files = [_map(file) for file in _list(project.get("urls"))]
    requires = info.get("requires_dist")
    readme = _text(info.get("description"))
    facts = PackageFacts(
        version=ref.version or _text(info.get("version")),
        licence=_pypi_licence(info),
        published=min((_text(file.get("upload_time_iso_8601")) for file in files), default="") or None,
        homepage=_text(info.get("home_page")) or urls.get("homepage") or None,
        repository=next((urls[name] for name in _REPOSITORY if urls.get(name)), None),
        requires_python=_text(info.get("requires_python")) or None,
        dependencies=_direct(requires) if isinstance(requires, (list, tuple)) else None,
        deprecated=_given_up(info) if info else None,
        readme_length=len(readme) if readme else None,
        systems=_systems(_list(info.get("classifiers"))),
    )
    text = f"{_text(info.get('summary'))} {_text(info.get('keywords')).replace(',', ' ')}".strip()
    return Candidate(ref=ref, name="", text=text, facts=facts)


_REPOSITORY: Final = ("repository", "source", "source code", "github", "code")
_GIVEN_UP: Final = re.compile(r"\W*(?:deprecated\b|(?:this package (?:has been|was) )?renamed to\b)", re.IGNORECASE)


def _given_up(info: Mapping[str, Any]) -> bool:
    if info.get("yanked") is True or "Development Status :: 7 - Inactive" in _list(info.get("classifiers")):
        return True
    return bool(_GIVEN_UP.match(_text(info.get("summary"))))


_SYSTEMS: Final = {
    "POSIX :: Linux": "linux",
    "POSIX": "linux darwin",
    "Unix": "linux darwin",
    "MacOS": "darwin",
    "MacOS :: MacOS X": "darwin",
    "Microsoft :: Windows": "win32",
}
_SYSTEM: Final = "Operating System :: "


def _systems(classifiers: Sequence[Any]) -> str | None:
    """Return the operating systems that the trove classifiers name; ``None`` where they name none, or any will do."""
    named = [_text(one).removeprefix(_SYSTEM) for one in classifiers if _text(one).startswith(_SYSTEM)]
    known = [_SYSTEMS.get(name, "") for name in named]
    if not known or not all(known):
        return None
    return " ".join(sorted({system for names in known for system in names.split()}))


def _direct(requires: Sequence[Any]) -> int:
    return sum(isinstance(one, str) and "extra ==" not in one for one in requires)


def _pypi_licence(info: Mapping[str, Any]) -> str | None:
    given = _text(info.get("license_expression"))
    if given:
        return given
    classified = [_text(one) for one in _list(info.get("classifiers")) if _text(one).startswith("License ::")]
    if classified:
        return classified[0].rsplit("::", 1)[-1].strip()
    # The field may hold the whole text of a licence; its first line names it.
    return _text(info.get("license")).strip().split("\n", 1)[0][:80] or None


def _licence(given: Any) -> str | None:
    if isinstance(given, Mapping):
        given = given.get("type")
    if isinstance(given, list):
        return " OR ".join(filter(None, (_licence(one) for one in given[:4]))) or None
    return _text(given) or None


def _repository(given: Any) -> str | None:
    url = _text(given.get("url")) if isinstance(given, Mapping) else _text(given)
    return url.removeprefix("git+").removesuffix(".git") or None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()
