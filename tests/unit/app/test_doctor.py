"""What the examination of a machine says."""

from __future__ import annotations

from pathlib import Path

import pytest

from vsm_mcp.app.doctor import installing, watched
from vsm_mcp.config import Config
from vsm_mcp.model.installing import Install
from vsm_mcp.sandbox.probe import probe
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


async def test_whether_installing_is_confined_is_tried(tmp_path: Path) -> None:
    isolation = await probe()
    check = await installing(Config(home=tmp_path), isolation)
    if isolation.tier.reaches(Tier.FULL_SOFT):
        assert (check["state"], check["detail"]) == ("ok", "npm and uv run in the sandbox while they install")
    gone = await installing(Config(home=tmp_path / "gone"), isolation)
    assert gone["state"] == "warn"
    assert "run outside of the sandbox while they install: " in gone["detail"]


async def test_without_a_sandbox_or_by_choice_installing_is_not_confined(tmp_path: Path) -> None:
    poor = Isolation(tier=Tier.NONE, properties=properties_of(Tier.NONE))
    check = await installing(Config(home=tmp_path), poor)
    assert check["state"] == "warn"
    assert "cannot be sandboxed here" in check["detail"]
    chosen = await installing(Config(home=tmp_path, install=Install(confined=False)), poor)
    assert (chosen["state"], chosen["remedy"]) == ("warn", "[install] confined = true")
