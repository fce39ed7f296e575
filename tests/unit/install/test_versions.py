"""Which version comes after which."""

from __future__ import annotations

import pytest

from vsm_mcp.install.versions import newer
from vsm_mcp.model.ref import RefKind

NPM = [
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.2.0",
]
"""In order (semver.org, 11)."""
PYPI = ["1.0.dev1", "1.0a1", "1.0", "1.0.post1", "1.9", "1.10", "1!0.1"]
"""In order (PEP 440)."""


@pytest.mark.parametrize(("kind", "versions"), [(RefKind.NPM, NPM), (RefKind.PYPI, PYPI)])
def test_they_are_ordered_as_their_registry_orders_them(kind: RefKind, versions: list[str]) -> None:
    for place, version in enumerate(versions):
        assert [newer(kind, other, version) for other in versions] == [at > place for at in range(len(versions))]


@pytest.mark.parametrize("kind", [RefKind.GIT, RefKind.NPM, RefKind.PYPI])
def test_without_an_order_another_one_is_newer(kind: RefKind) -> None:
    assert newer(kind, "deadbeef", "cafe")
    assert newer(kind, "cafe", "deadbeef")
    assert not newer(kind, "cafe", "cafe")
