"""How servers are, who is left alone, what newcomers take and how much is met can be read as metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vsm_mcp.app import App
from vsm_mcp.config import Config
from vsm_mcp.health.file import File
from vsm_mcp.model.ending import Ending
from vsm_mcp.routing.breakers import Failed
from vsm_mcp.routing.shares import Share
from vsm_mcp.web.families import Sample


def samples(app: App, name: str) -> dict[tuple[str, ...], Any]:
    families = app.in_service.telemetry.measures.families()
    [found] = [family for family in families if family.metric.name == name]
    return {sample.labels: sample.value for sample in found.samples if isinstance(sample, Sample)}


async def test_what_looks_after_servers_is_measured(tmp_path: Path) -> None:
    async with App.open(Config(home=tmp_path), for_operation="serve") as app:
        assert samples(app, "vsm_mcp_needs") == {}
        for name in ("server_condition", "breaker_state", "rollout_share"):
            assert samples(app, f"vsm_mcp_{name}") == {}
        router = app.gateway.router
        router.share("files", Share(newcomer="files@2", percent=15, salt="s"))
        for _ in range(5):
            router.breakers.failed(
                Failed(server="a", tool="t", ending=Ending.TRANSPORT, began=1e9, now=1e9, after=0.0, reached=False)
            )
        file = app.in_service.healing.files["files"] = File()
        file.given_up("it failed too often", 1.0)
        await app.store.demand.record("read a pdf", "agent", met=False)
        await app.in_service.autopilot.gaps.gaps()
        assert samples(app, "vsm_mcp_rollout_share") == {("files", "2"): 0.15}
        assert samples(app, "vsm_mcp_breaker_state")["a", "", "open"] == 1.0
        assert samples(app, "vsm_mcp_server_condition")["files", "failing"] == 1.0
        assert (samples(app, "vsm_mcp_needs"), samples(app, "vsm_mcp_needs_met")) == ({(): 1}, {(): 0})
