"""What is known of a candidate, as facts for the policy."""

from __future__ import annotations

import pytest

from vsm_mcp.autopilot.known import known_facts
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.ref import parse_ref

NOW = 1_767_225_600.0  # 2026-01-01


def candidate(**more: object) -> Candidate:
    whole: dict[str, object] = {"ref": parse_ref("npm:x"), "name": "x", **more}
    return Candidate(**whole)  # type: ignore[arg-type] # fields of the caller's choice


def test_sources_and_tags_are_words() -> None:
    found = known_facts(
        candidate(
            sources=("index", "npm"), curated=True, tags=("docs.pdf", "my tag"), capabilities={"a.b": 0.7, "c.d": 0.5}
        ),
        NOW,
    )
    assert found == {"sources": "catalogue index npm", "tags": "a.b docs.pdf my-tag"}


@pytest.mark.parametrize(
    ("published", "days"),
    [
        ("2025-12-31", 1.0),
        ("2025-12-31T12:00:00Z", 0.5),
        ("2025-12-31T12:00:00+00:00", 0.5),
        ("2026-02-01", 0.0),
        ("2025-12", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_the_age_of_a_version(published: str | None, days: float | None) -> None:
    found = known_facts(candidate(facts=PackageFacts(published=published, downloads=12)), NOW)
    assert found.get("age_days") == days
    assert found["downloads"] == 12.0
