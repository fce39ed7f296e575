"""What a record says of a version: which, how bad, since when mended; the same thing once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.vetting.advisories.osv import record

from vsm_mcp.vetting.advisories import cvss
from vsm_mcp.vetting.advisories.record import Advisory, Match, match, once

SPAN = ({"introduced": "0"}, {"fixed": "2.0.0"})


def read(raw: Any) -> Advisory:
    return msgspec.convert(raw, Advisory)


def found(raw: Any, name: str = "x", version: str = "1.0.0", ecosystem: str = "npm") -> Match:
    this = match(read(raw), ecosystem, name, version)
    assert this is not None
    return this


@pytest.mark.parametrize(
    ("raw", "version"),
    [
        (record("A", "x", *SPAN, withdrawn="2029-01-01T00:00:00Z"), "1.0.0"),
        (record("A", "x", *SPAN), "2.0.0"),
        (record("A", "y", *SPAN), "1.0.0"),
        (record("A", "x", *SPAN, ecosystem="PyPI"), "1.0.0"),
        (record("A", "x", versions=["0.9.0"]), "1.0.0"),
        (record("A", "x"), "1.0.0"),
        ({"id": "A"}, "1.0.0"),
    ],
)
def test_what_it_is_not_about(raw: Any, version: str) -> None:
    assert match(read(raw), "npm", "x", version) is None


def test_names_of_python_projects_are_compared_as_their_index_does() -> None:
    raw = record("A", "Some.Thing", {"introduced": "0"}, ecosystem="PyPI")
    assert match(read(raw), "PyPI", "some_thing", "1.0") is not None


def test_listed_versions_count_beside_ranges() -> None:
    assert found(record("A", "x", {"introduced": "5.0.0"}, versions=["1.0.0"])).certain


def test_a_malicious_package_without_versions_is_malicious_in_all() -> None:
    assert found(record("MAL-2029-1", "x")).advisory.malicious
    assert read({"id": "GHSA-1", "aliases": ["MAL-2029-1"]}).malicious


def test_a_range_that_nobody_can_order_is_a_match_in_doubt() -> None:
    assert not found(record("A", "x", {"introduced": "0"}, {"fixed": "no version"})).certain


@pytest.mark.parametrize(
    ("more", "level"),
    [
        ({}, "unknown"),
        ({"database_specific": {"severity": "HIGH"}}, "high"),
        ({"database_specific": {"severity": "MEDIUM"}}, "moderate"),
        ({"database_specific": {"severity": ["?"]}}, "unknown"),
        ({"database_specific": "?"}, "unknown"),
        ({"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]}, "critical"),
        ({"severity": [{"type": "CVSS_V4", "score": "CVSS:4.0/AV:N"}]}, "unknown"),
        # the database's own word goes before the vector
        (
            {
                "database_specific": {"severity": "LOW"},
                "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
            },
            "low",
        ),
    ],
)
def test_how_bad_it_is(more: dict[str, Any], level: str) -> None:
    assert found(record("A", "x", *SPAN, **more)).level == level


# Vectors and scores from FIRST's own examples (CVSS v3.1 Examples) and of well-known vulnerabilities.
@pytest.mark.parametrize(
    ("vector", "score"),
    [
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5),
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 7.8),
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1),
        ("CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
        ("CVSS:3.1/AV:N/AC:L", None),
        ("AV:N/AC:L/Au:N/C:P/I:P/A:P", None),
        ("", None),
    ],
)
def test_scores(vector: str, score: float | None) -> None:
    assert cvss.score(vector) == score


def test_one_vulnerability_in_two_databases_is_told_once_by_its_worst_record() -> None:
    github = found(record("GHSA-1", "x", *SPAN, aliases=["CVE-1"], database_specific={"severity": "HIGH"}))
    pysec = found(record("PYSEC-1", "x", {"introduced": "0"}, aliases=["CVE-1", "GHSA-1"]))
    other = found(record("GHSA-2", "x", *SPAN))
    assert [(each.advisory.id, each.fixed) for each in once([pysec, other, github])] == [
        ("GHSA-1", "2.0.0"),
        ("GHSA-2", "2.0.0"),
    ]


def test_real_records() -> None:
    root = Path(__file__).parents[4]
    beside = (root.parent / "shared/bench/vetting/osv", root.parents[1] / "shared/bench/vetting/osv")
    folder = next((each for each in beside if each.is_dir()), None)
    if folder is None:
        pytest.skip("the shared records are not here")
    for file in sorted(folder.glob("*.json")):
        advisory = msgspec.json.decode(file.read_bytes(), type=Advisory)
        package = advisory.affected[0].package
        assert package is not None
        this = match(advisory, package.ecosystem, package.name, "0.1.0")
        assert this is not None
        assert this.level in {"high", "critical"}
        assert match(advisory, package.ecosystem, package.name, this.fixed) is None
