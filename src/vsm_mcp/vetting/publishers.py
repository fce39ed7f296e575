"""Who published a package, by its registry's word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from vsm_mcp.errors import VsmError
from vsm_mcp.model.ref import RefKind
from vsm_mcp.vetting.check import Subject


class Publishers(msgspec.Struct, frozen=True):
    """Patterns over publishers (``npm:NAME``, ``pypi:NAME``) that are admitted, and that are not."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


async def publishers_of(subject: Subject) -> tuple[str, ...]:
    """Return who published this version of an npm package, or who owns a PyPI project; empty where nobody says."""
    if subject.registries is None or subject.ref.kind not in {RefKind.NPM, RefKind.PYPI}:
        return ()
    name = subject.ref.name
    try:
        if subject.ref.kind is RefKind.NPM:
            versions = _map((await subject.registries.npm_package(name)).get("versions"))
            user = _map(_map(versions.get(subject.version)).get("_npmUser")).get("name")
            return (f"npm:{user}",) if isinstance(user, str) and user else ()
        ownership = _map((await subject.registries.pypi_project(name)).get("ownership"))
    except VsmError:
        return ()
    roles = ownership.get("roles")
    users = [_map(role).get("user") for role in roles] if isinstance(roles, list) else []
    users.append(ownership.get("organization"))
    return tuple(f"pypi:{user}" for user in users if isinstance(user, str) and user)


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
