"""Real servers from npm and PyPI: a third of the corpus in every check, all of it with ``-m corpus``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.run_corpus import FILES, SECONDS, records, try_record

ALL = [record for path in FILES if path.exists() for record in records(path)]
# Compiling a native module takes a minute each; a browser needs a system package: only with the whole corpus.
HEAVY = ("-scripts", "playwright")


def of_this_check() -> list[Any]:
    """Every third record, less the heavy ones; the rest is marked ``corpus``."""
    return [
        pytest.param(
            record,
            id=record["id"],
            marks=pytest.mark.slow
            if index % 3 == 0 and not any(word in record["id"] for word in HEAVY)
            else pytest.mark.corpus,
        )
        for index, record in enumerate(ALL)
    ]


@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize("record", of_this_check())
def test_a_real_server_ends_as_it_should(record: dict[str, Any], tmp_path: Path) -> None:
    if "chromium" in record.get("needs", "") and shutil.which("chromium") is None:
        pytest.skip("needs chromium (make corpus installs it)")
    row = try_record(record, tmp_path)
    assert row.ok, str(row)
