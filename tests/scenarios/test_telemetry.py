"""What a real daemon tells other programs: metrics, events, traces, logs, and why it did what it did."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.collector import Collector, collecting, values
from tests.scenarios.homes import PROGRAM, Home

from vsm_mcp.app.sockets import CONTROL, connect
from vsm_mcp.web.metrics import METRICS

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


def call(address: str, tool: str, arguments: dict[str, Any], **fields: str) -> dict[str, Any]:
    """Call a tool as a modern client over HTTP."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}).encode()
    head = {"content-type": "application/json", "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call"}
    request = urllib.request.Request(address, body, {**head, "mcp-name": tool, **fields})
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def measured(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def over_the_socket(home: Home, path: str) -> str:
    with connect(home.path, CONTROL) as control, control.makefile("rwb") as line:
        line.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
        line.flush()
        return line.read().decode()


@pytest.mark.slow
def test_metrics_traces_and_logs_of_real_calls_in_both_eras(home: Home, collector: Collector) -> None:
    home.environ |= {
        "VSM_MCP_TELEMETRY_OTLP_ENDPOINT": collector.endpoint,
        "VSM_MCP_TELEMETRY_OTLP_SECONDS": "0.5",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-key=s3cret",
        "VSM_MCP_LOG_FORMAT": "json",
        "VSM_MCP_LOG_CALLS": "all",
    }
    for name in ("legacy", "modern"):
        assert home.add_faulty(name, "--mode", name).document["outcome"] == "served"
    address = home.serve()
    for name in ("legacy", "modern"):
        said = call(address, f"{name}__echo", {"text": "hush"}, traceparent=f"00-{TRACE}-{SPAN}-01")
        assert said["result"]["content"][0]["text"] == "echo:hush"
        call(address, f"{name}__fail", {})
    metrics = address.replace("/mcp", "/metrics")
    servers = {(("server", name),) for name in ("legacy", "modern")}
    home.until(lambda: servers <= measured(get(metrics)).get("vsm_mcp_server_memory_bytes", {}).keys())
    found = measured(get(metrics))
    for name in ("legacy", "modern"):
        one = (("ending", "answered"), ("server", name), ("tool", "echo"))
        assert found["vsm_mcp_calls_total"][one] == 1
        assert found["vsm_mcp_calls_total"][(("ending", "tool_error"), ("server", name), ("tool", "fail"))] == 1
        assert found["vsm_mcp_call_duration_seconds_count"][one[1:]] == 1
        assert found["vsm_mcp_server_state"][(("server", name), ("state", "ready"))] == 1
        assert found["vsm_mcp_server_memory_bytes"][(("server", name),)] > 1_000_000
    assert found["process_resident_memory_bytes"][()] > 10_000_000
    socket = over_the_socket(home, "/metrics")
    assert 'vsm_mcp_calls_total{server="modern",tool="echo",ending="answered"} 1' in socket
    told = set(measured(socket.partition("\r\n\r\n")[2]))
    assert told  # chunked or not, it is the same text
    declared = {metric.name for metric in METRICS}
    assert {family.name for family in text_string_to_metric_families(get(address.replace("/mcp", "/metrics")))} <= {
        *declared
    }
    spans = home.until(lambda: collector.spans if len(collector.spans) >= 4 else None)
    echoes = [span for span in spans if span.name == "tools/call echo"]
    assert [(span.trace_id.hex(), span.parent_span_id.hex()) for span in echoes] == [(TRACE, SPAN)] * 2
    assert {values(span.attributes)["vsm_mcp.server"] for span in echoes} == {"legacy", "modern"}
    fails = [span for span in spans if span.name == "tools/call fail"]
    assert [values(span.attributes)["error.type"] for span in fails] == ["tool_error"] * 2
    assert collector.fields[0]["x-key"] == "s3cret"
    calls = home.until(lambda: collector.metrics.get("vsm_mcp_calls"))
    assert {values(point.attributes)["server"] for point in calls.sum.data_points} == {"legacy", "modern"}
    lines = [json.loads(line) for line in home.said.splitlines() if line.startswith("{")]
    logged = [line for line in lines if line["event"] == "Call"]
    assert [(line["tool"], line["ending"], line["level"]) for line in logged] == [
        ("echo", "answered", "info"), ("fail", "tool_error", "warning"),
    ] * 2  # fmt: skip
    assert logged[0]["trace"] == TRACE
    assert logged[1]["trace"] == fails[0].trace_id.hex()
    for text in (home.said, b"".join(collector.raw).decode("latin-1")):
        assert "hush" not in text
        assert "s3cret" not in text


@pytest.mark.slow
def test_a_collector_that_is_not_there_harms_no_call_and_no_stop(home: Home) -> None:
    home.environ["VSM_MCP_TELEMETRY_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
    assert home.add_faulty("one").document["outcome"] == "served"
    address = home.serve()
    for _ in range(20):
        assert call(address, "one__echo", {"text": "x"})["result"]["content"]
    home.until(lambda: "ExportFailed" in home.said)
    home.close()
    assert home.daemons[0].returncode == 0
    assert home.said.count("ExportFailed signal=traces") == 1


@pytest.mark.slow
def test_events_can_be_followed_and_read_again(home: Home) -> None:
    alone = home.run("events")
    assert (alone.code, alone.document["error"]["code"]) == (5, "transport")
    home.serve()
    argv = [PROGRAM, "events", "--follow", "--json", "--type", "ServerAdded", "--type", "ActionDecided"]
    with subprocess.Popen(argv, env=home.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as following:
        assert following.stdout is not None
        assert home.add_faulty("one").document["outcome"] == "served"
        first, second = (json.loads(following.stdout.readline()) for _ in range(2))
        assert (first["event"], first["action"], first["actor"], first["schema"]) == ("ActionDecided", "add", "cli", 1)
        assert (second["event"], second["server"]) == ("ServerAdded", "one")
        again = home.run("events", "--since", first["id"]).document["events"]
        assert [row["event"] for row in again if row["event"] in {"ServerAdded", "ActionDecided"}] == ["ServerAdded"]
        home.close()
        assert following.wait(20) == 5


@pytest.mark.slow
def test_why_it_was_decided_is_replayed_and_the_journal_says_who(home: Home) -> None:
    home.path.mkdir()
    (home.path / "vsm-mcp.toml").write_text('[policy]\ndeny = ["pypi:*"]\n')
    added = home.add_faulty("one").document
    assert home.run("add", "pypi:anything==1.0", "--yes").code == 3
    assert home.run("remove", "one").code == 0
    told = said(home, "evidence", added["evidence"])
    steps = [line.partition("  ")[2] for line in told if line[:1].isdigit()]
    assert steps[0].startswith("the policy was asked: add cmd:")
    assert steps[-1] == "the policy was asked: remove one"
    assert "   by the rule: approved" in told
    assert "   => passed" in told
    assert "   => admit" in told
    assert any(line.strip().startswith("handshake: pass") for line in told)
    assert len(said(home, "evidence", added["evidence"], "--full")) > len(told)
    entries = home.run("journal", "--actor", "cli").document["entries"]
    assert [row["action"] for row in entries] == ["add", "add", "remove"]
    (denied,) = home.run("journal", "--verdict", "deny", "--since", "1h").document["entries"]
    assert denied["subject"].startswith("pypi:anything")
    assert home.run("journal", "--since", "yesterday").code == 2


def said(home: Home, *words: str) -> list[str]:
    done = subprocess.run([PROGRAM, *words], env=home.env, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()
