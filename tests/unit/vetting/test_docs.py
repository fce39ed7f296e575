"""The reference lists every rule with its severity and meaning; what it says is compared with the code."""

from __future__ import annotations

import re
from pathlib import Path

from vsm_mcp.vetting import archive, dependencies, drift, flows, identity, installed, licence, tool_text, watch
from vsm_mcp.vetting.advisories import check as advisories
from vsm_mcp.vetting.check import Rule
from vsm_mcp.vetting.code import rules as code
from vsm_mcp.vetting.signatures import rules as signatures
from vsm_mcp.vetting.trials import conduct
from vsm_mcp.vetting.trials.examine import RULES as PROTOCOL

PAGE = Path(__file__).parents[3] / "docs/reference/vetting.md"
BEFORE = (identity, advisories, signatures, licence, dependencies, archive, code, drift, installed)
AFTER = (tool_text, flows, watch, conduct)
RULES: tuple[Rule, ...] = tuple(rule for module in (*BEFORE, *AFTER) for rule in module.RULES)


def test_every_rule_is_in_the_reference_as_it_is_in_the_code() -> None:
    rows = re.findall(r"^\| `([a-z]+\.[a-z_]+)` \| (\w+) \| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert {row[0]: row[1:] for row in rows} == {rule.id: (rule.severity.value, rule.meaning) for rule in RULES}
    assert len(rows) == len(RULES)


def test_rule_ids_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_every_rule_of_the_protocol_is_in_the_reference_with_its_source() -> None:
    pattern = r"^\| ([a-z -]+) \| (both|legacy|modern) \| (note|review) \| (.+) \| (.+) \|$"
    rows = re.findall(pattern, PAGE.read_text("utf-8"), re.MULTILINE)
    eras = {("legacy", "modern"): "both", ("legacy",): "legacy", ("modern",): "modern"}
    wanted = {(each.name, eras[each.eras], each.severity.value, each.meaning, each.source) for each in PROTOCOL}
    assert set(rows) == wanted
    assert len(rows) == len(PROTOCOL)
