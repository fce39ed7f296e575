"""Everything that is measured is declared, and declared as Prometheus' conventions want it; series are bounded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from vsm_mcp.app import App
from vsm_mcp.app.measures import Named
from vsm_mcp.config import Config
from vsm_mcp.events import ActionDecided, ContactRefused, ServerRemoved
from vsm_mcp.model.ending import Ending
from vsm_mcp.model.telemetry_settings import TelemetrySettings
from vsm_mcp.web.exposition import written
from vsm_mcp.web.families import Kind
from vsm_mcp.web.metrics import METRICS


def samples(app: Any, name: str) -> dict[tuple[str, ...], float]:
    found = [family for family in app.in_service.telemetry.measures.families() if family.metric.name == name]
    assert len(found) == 1
    return {sample.labels: sample.value for sample in found[0].samples}


async def test_a_real_home_yields_declared_metrics_alone_and_each_once(tmp_path: Path) -> None:
    async with App.open(Config(home=tmp_path), for_operation="serve") as app:
        families = list(app.in_service.telemetry.measures.families())
        assert {family.metric for family in families} <= set(METRICS)
        assert len({family.metric.name for family in families}) == len(families)
        text = b"".join(written(families, openly=False)).decode()
        assert len(list(text_string_to_metric_families(text))) == len(families)


async def test_calls_and_events_are_counted(tmp_path: Path) -> None:
    config = Config(home=tmp_path, telemetry=TelemetrySettings(metric_tools=2))
    async with App.open(config, for_operation="serve") as app:
        ledger = app.gateway.router.ledger
        for name, tool in (("a", "one"), ("a@2.0", "one"), ("a", "two"), ("a", "three")):
            ledger.of(name, tool).note(Ending.ANSWERED, 0.02)
        ledger.of("a", "two").note(Ending.TIMEOUT, 1.0)
        assert samples(app, "vsm_mcp_calls") == {
            ("a", "", "one", "answered"): 1,
            ("a", "2.0", "one", "answered"): 1,
            ("a", "", "", "answered"): 2,
            ("a", "", "", "timeout"): 1,
        }
        app.bus.emit(ActionDecided(action="add", subject="x", verdict="deny", rule="r"))
        refused = ContactRefused(server="a", host="h", port=1, reason="r")
        app.bus.emit(refused)
        app.bus.emit(refused)
        assert samples(app, "vsm_mcp_decisions") == {("add", "deny"): 1}
        assert samples(app, "vsm_mcp_contacts_refused") == {("a",): 2}
        assert samples(app, "vsm_mcp_events")["ContactRefused",] == 2
        app.bus.emit(ServerRemoved(server="a"))
        assert samples(app, "vsm_mcp_contacts_refused") == {}


def test_no_counter_falls_when_series_come_and_go() -> None:
    named = Named()
    named.keep([("a", "1"), ("a", "2"), ("a", "3")], 2)
    assert [("a", tool) in named for tool in "123"] == [True, True, False]
    named.keep([("a", "2"), ("a", "3"), ("a", "4")], 2)
    assert [("a", tool) in named for tool in "234"] == [True, False, True], "what was counted together stays so"


def test_names_are_as_the_conventions_want_them() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"(vsm_mcp|process)_[a-z_]+", metric.name), metric.name
        assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket"))
        assert not metric.unit or metric.name.endswith(f"_{metric.unit}")
        assert metric.help.endswith(".")
        assert "le" not in metric.labels
        if metric.kind is Kind.HISTOGRAM:
            assert metric.unit == "seconds"
