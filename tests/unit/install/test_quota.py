from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from vsm_mcp.install.quota import Quota, QuotaExceeded, written


def _fill(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


async def test_what_is_full_takes_nothing_more_and_says_what_would_free_space(tmp_path: Path) -> None:
    _fill(tmp_path / "installations" / "small" / "1" / "file", 10_000)
    _fill(tmp_path / "installations" / "large" / "1" / "file", 90_000)
    _fill(tmp_path / "installations" / "coming" / "1" / "file", 95_000)
    for name in ("small", "large"):
        (tmp_path / "installations" / name / "current").symlink_to("1")
    with pytest.raises(QuotaExceeded, match=r"may take 97\.7 KiB") as caught:
        async with Quota(tmp_path, 100_000).kept():
            raise AssertionError
    assert "large (88.0 KiB), small (12.0 KiB)" in caught.value.hint
    assert "coming" not in caught.value.hint  # it is no server yet: nobody could remove it


async def test_what_grows_too_large_is_cancelled(tmp_path: Path) -> None:
    ended = False
    with pytest.raises(QuotaExceeded, match="quota_bytes"):
        async with asyncio.timeout(60), Quota(tmp_path, 100_000).kept():
            _fill(tmp_path / "run" / "staging" / "s" / "1" / "file", 200_000)
            try:
                await asyncio.Event().wait()
            finally:
                ended = True
    assert ended


async def test_what_grew_too_large_between_two_looks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QuotaExceeded, match="quota_bytes") as caught:
        async with Quota(tmp_path, 100_000).kept():
            _fill(tmp_path / "run" / "work" / "file", 200_000)
    assert caught.value.hint == "raise [install] quota_bytes"


async def test_errors_of_others_are_passed_on(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        async with Quota(tmp_path, 100_000).kept():
            raise TimeoutError
    with pytest.raises(asyncio.CancelledError):
        async with Quota(tmp_path, 100_000).kept():
            raise asyncio.CancelledError


async def test_without_a_limit_nothing_is_looked_at(tmp_path: Path) -> None:
    _fill(tmp_path / "installations" / "large" / "1" / "file", 90_000)
    async with Quota(tmp_path, 0).kept():
        pass


@pytest.mark.parametrize(
    ("size", "text"), [(5, "5 bytes"), (2048, "2.0 KiB"), (3 << 20, "3.0 MiB"), (1 << 30, "1.0 GiB")]
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert written(size) == text
