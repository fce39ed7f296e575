"""Which of two versions of a package is the newer one. Pure."""

from __future__ import annotations

import re
from typing import Final

from packaging.version import InvalidVersion, Version

from vsm_mcp.model.ref import RefKind

_SEMVER: Final = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?\Z")


def newer(kind: RefKind, version: str, than: str) -> bool:
    """Say whether ``version`` comes after ``than``.

    npm orders by semantic versioning, PyPI by PEP 440; where there is no order, every other version counts as newer.
    """
    if version == than:
        return False
    try:
        if kind is RefKind.PYPI:
            return Version(version) > Version(than)
        if kind is RefKind.NPM:
            return _semantic(version) > _semantic(than)
    except (InvalidVersion, ValueError):
        pass
    return True


def _semantic(version: str) -> tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]:
    """Return what orders a version (semver.org, 11): a release comes after its pre-releases."""
    match = _SEMVER.match(version)
    if match is None:
        raise ValueError(version)
    major, minor, patch, early = match.groups()
    parts = tuple(
        (not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in (early or "").split(".") if part
    )
    return (int(major), int(minor), int(patch)), early is None, parts
