"""What a person is shown of a new version."""

from __future__ import annotations

import json

from vsm_mcp.autopilot.difference import Side, difference, findings_of
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.sandbox_plan import SandboxPlan
from vsm_mcp.model.server import Installation, Server


def side(version: str, tools: dict[str, str], packages: dict[str, str], plan: SandboxPlan, *findings: str) -> Side:
    ref = parse_ref(f"pypi:x=={version}")
    installation = Installation(
        server="x",
        ref=ref,
        version=version,
        path=f"/x/{version}",
        entry=Entry(argv=("/x",), runtime="python"),
        packages=packages,
        licence="MIT" if version == "1" else "",
    )
    items = tuple(
        Definition(kind=ItemKind.TOOL, name=name, raw=json.dumps({"name": name, "description": text}).encode())
        for name, text in tools.items()
    )
    server = Server(name="x", ref=ref, version=version, installation=installation, settings=Settings())
    return Side(server=server, offer=Offer(items=items), plan=plan, size=int(version), findings=findings)


def test_everything_that_differs_is_in_it() -> None:
    before = side(
        "1",
        {"a": "A.", "b": "B.", "c": "C."},
        {"x": "1", "y": "1", "z": "1"},
        SandboxPlan(permissions="", tier="full", own=("/x/1",)),
        "old",
    )
    after = side(
        "2",
        {"a": "A.", "b": "B!", "d": "D."},
        {"x": "2", "y": "1", "w": "1"},
        SandboxPlan(permissions="", tier="reduced", own=("/x/2",)),
        "old",
        "new",
    )
    found = difference(before, after)
    assert [(item.kind, item.item) for item in found.items] == [
        ("added", "tool:d"),
        ("removed", "tool:c"),
        ("changed", "tool:b"),
    ]
    assert '-  "description": "B.",' in found.items[2].diff
    assert '+  "description": "B!",' in found.items[2].diff
    assert found.dependencies == {"w": ("", "1"), "x": ("1", "2"), "z": ("1", "")}
    assert found.permissions == {"tier": ("full", "reduced")}
    assert (found.size, found.licence, found.findings) == ((1, 2), ("MIT", ""), ("new",))


def test_findings_are_read_from_evidence() -> None:
    finding = {"rule": "code.exec", "where": "a.py:3", "severity": "review", "text": "runs a shell"}
    judged = {"kind": "judged", "body": {"checks": [{"findings": [finding, {**finding, "where": "b.py:9"}]}]}}
    assert findings_of([{"kind": "vetted", "body": []}, judged]) == ("code.exec (review): runs a shell",)
    assert findings_of([]) == ()
