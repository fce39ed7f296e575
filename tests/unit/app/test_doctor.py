"""What the examination of a machine says."""

from __future__ import annotations

import pytest

from vsm_mcp.app.doctor import watched
from vsm_mcp.sandbox.tier import Isolation, Tier, properties_of


@pytest.mark.parametrize(
    ("tier", "strace", "state", "detail"),
    [
        (Tier.FULL, "/usr/bin/strace", "ok", "/usr/bin/strace: trials are watched"),
        (Tier.FULL_SOFT, "/usr/bin/strace", "ok", "trials are watched"),
        (Tier.REDUCED, "/usr/bin/strace", "warn", "of no use at tier reduced"),
        (Tier.NONE, "/usr/bin/strace", "warn", "of no use at tier none"),
        (Tier.FULL, "", "warn", "not found; trials are not watched"),
    ],
)
def test_whether_trials_can_be_watched(tier: Tier, strace: str, state: str, detail: str) -> None:
    check = watched(Isolation(tier=tier, properties=properties_of(tier)), strace)
    assert (check["name"], check["state"]) == ("strace", state)
    assert detail in check["detail"]
    assert bool(check["remedy"]) == (not strace)
