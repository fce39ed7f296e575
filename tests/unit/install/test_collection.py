from __future__ import annotations

from pathlib import Path

from vsm_mcp.install.collection import collect, empty_caches
from vsm_mcp.install.transaction import Installations


async def _five_versions(installations: Installations) -> None:
    for version in "12345":
        path = await installations.begin("s", version)
        (path / "file").write_bytes(b"x" * 5000)
        await installations.activate("s", version)


async def test_the_current_one_stays_and_what_is_named_or_runs(tmp_path: Path) -> None:
    installations = Installations(tmp_path)
    await _five_versions(installations)
    named, used = {str(installations.path("s", "1"))}, {str(installations.path("s", "2")), "/usr"}
    found = await collect(installations, ["s", "nobody"], named, used)
    assert found.versions == ("s/3", "s/4")
    assert found.size >= 10_000
    assert installations.versions("s") == ("1", "2", "5")
    assert installations.previous("s") == ""  # nothing leads to what is gone
    found = await collect(installations, ["s"], (), ())
    assert found.versions == ("s/1", "s/2")
    assert installations.current("s") == "5"


async def test_caches_are_emptied_whole_when_they_are_too_large(tmp_path: Path) -> None:
    assert await empty_caches(tmp_path, 0) == 0
    (tmp_path / "cache" / "uv").mkdir(parents=True)
    (tmp_path / "cache" / "uv" / "file").write_bytes(b"x" * 5000)
    assert await empty_caches(tmp_path, 100_000) == 0
    assert await empty_caches(tmp_path, 1000) >= 5000
    assert not (tmp_path / "cache").exists()
