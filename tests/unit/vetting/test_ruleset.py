"""The hash of the rules names one set of files."""

from __future__ import annotations

import re
from importlib.resources import files

from vsm_mcp.vetting import ruleset


def test_it_is_a_hash_and_stays_the_same() -> None:
    first = ruleset.digest()
    ruleset.digest.cache_clear()
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", first)
    assert ruleset.digest() == first


def test_it_covers_code_and_data_of_every_check() -> None:
    names = {name for name, _ in ruleset._files(files("vsm_mcp.vetting"), "")}
    assert {
        "/identity.py",
        "/signatures/check.py",
        "/data/trust.json",
        "/data/advisories.jsonl",
        "/data/popular.txt",
    } <= names
    assert not any("__pycache__" in name for name in names)
