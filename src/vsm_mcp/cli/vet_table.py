"""What a person sees of a vetting: one line a finding, one a check that could not look, and the verdict."""

from __future__ import annotations

from typing import Any, Final

from vsm_mcp.cli import output
from vsm_mcp.model.counted import counted

_ORDER: Final = {"block": 0, "review": 1, "note": 2}
_STYLES: Final = {"admit": "green", "quarantine": "yellow", "reject": "red"}


def show_vetting(document: dict[str, Any]) -> None:
    """Print what the checks saw of one reference."""
    findings = [finding for check in document["checks"] for finding in check["findings"]]
    findings.sort(key=lambda finding: _ORDER[finding["severity"]])
    rows = [(each["severity"], each["rule"], each["where"], each["text"]) for each in findings]
    if rows:
        output.table(("SEVERITY", "RULE", "WHERE", "TEXT"), rows, wide=3)
    for check in document["checks"]:
        detail = f": {check['detail']}" if check["detail"] else ""
        output.note(
            f"{check['check']}: {check['status']}, looked at {counted(check['looked_at'], check['unit'])}{detail}"
        )
    verdict = document["judgement"]
    output.line(f"{document['ref']}: {verdict}", style=_STYLES[verdict])
    output.note(f"evidence: {document['evidence']} (vsm-mcp evidence {document['evidence']})")
