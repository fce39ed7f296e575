from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from vsm_mcp.errors import HomeError, InstallFailed
from vsm_mcp.install.archive import Limits, digest_of, unpack_tarball, unpack_zip

ROOMY = Limits(size=10_000_000, files=100)


def _tar(path: Path, *entries: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for entry in entries:
            tar.addfile(entry, io.BytesIO(b"x" * entry.size) if entry.isreg() else None)
    return path


def _entry(
    name: str, size: int = 3, kind: bytes = tarfile.REGTYPE, target: str = "", mode: int = 0o644
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, mode
    info.size = size if kind == tarfile.REGTYPE else 0
    return info


def _zip(path: Path, **names: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in names.items():
            archive.writestr(name, body)
    return path


def test_a_tarball_loses_its_first_folder_and_its_special_bits(tmp_path: Path) -> None:
    archive = _tar(tmp_path / "a.tgz", _entry("package/bin/run.js", mode=0o4755), _entry("package/package.json"))
    members = unpack_tarball(archive, tmp_path / "out", ROOMY)
    assert [(member.name, member.mode, member.kind) for member in members] == [
        ("bin/run.js", 0o4755, "file"),
        ("package.json", 0o644, "file"),
    ]
    assert stat.S_IMODE((tmp_path / "out/bin/run.js").stat().st_mode) & 0o7000 == 0
    assert (tmp_path / "out/bin/run.js").read_bytes() == b"xxx"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (_entry("package/../../evil"), "leads outside"),
        (_entry("../evil"), "leads outside"),
        (_entry("/etc/evil"), "unusable path"),
        (_entry("package\\..\\evil"), "unusable path"),
        (_entry("package/link", kind=tarfile.SYMTYPE, target="/etc/passwd"), "symbolic link"),
        (_entry("package/link", kind=tarfile.LNKTYPE, target="package/x"), "hard link"),
        (_entry("package/pipe", kind=tarfile.FIFOTYPE), "device"),
        (_entry("package/tty", kind=tarfile.CHRTYPE), "device"),
        (_entry("package/big", size=11_000_000), "more than"),
    ],
)
def test_hostile_tarballs_are_refused(tmp_path: Path, entry: tarfile.TarInfo, said: str) -> None:
    archive = _tar(tmp_path / "a.tgz", entry)
    with pytest.raises(InstallFailed, match=said):
        unpack_tarball(archive, tmp_path / "out", ROOMY)
    assert not (tmp_path / "evil").exists()
    assert not Path("/etc/evil").exists()


def test_a_bomb_is_refused_by_its_ratio(tmp_path: Path) -> None:
    archive = _zip(tmp_path / "a.whl", bomb=b"\0" * 120_000_000)
    with pytest.raises(InstallFailed, match="unpacks to more than 50 MB"):
        unpack_zip(archive, tmp_path / "out", Limits(size=10**10, files=10))
    assert (tmp_path / "out" / "bomb").stat().st_size <= 50 * 1024 * 1024


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    archive = _zip(tmp_path / "a.whl", **{f"f{number}": b"" for number in range(5)})
    with pytest.raises(InstallFailed, match="more than 4 files"):
        unpack_zip(archive, tmp_path / "out", Limits(size=1000, files=4))


def _with_twice(archive: zipfile.ZipFile) -> None:
    archive.writestr("a.py", "one")
    archive.writestr("a.py", "two")


def _with_symlink(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/passwd")


def _with_escape(archive: zipfile.ZipFile) -> None:
    archive.writestr("a/../../evil", "x")


def _with_file_as_folder(archive: zipfile.ZipFile) -> None:
    archive.writestr("a", "x")
    archive.writestr("a/b", "x")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("fill", "said"),
    [
        (_with_twice, "twice"),
        (_with_symlink, "symbolic link"),
        (_with_escape, "leads outside"),
        (_with_file_as_folder, "as file and as directory"),
    ],
)
def test_hostile_wheels_are_refused(tmp_path: Path, fill: Callable[[zipfile.ZipFile], None], said: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        fill(archive)
    with pytest.raises(InstallFailed, match=said):
        unpack_zip(tmp_path / "a.whl", tmp_path / "out", ROOMY)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("body", [b"", b"no archive at all", b"\x1f\x8b\x08\x00broken"])
def test_rubbish_is_refused(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(body)
    for unpack in (unpack_tarball, unpack_zip):
        with pytest.raises(InstallFailed, match="cannot be unpacked"):
            unpack(path, tmp_path / "out", ROOMY)


def test_a_cut_off_tarball_is_refused(tmp_path: Path) -> None:
    archive = _tar(tmp_path / "a.tgz", _entry("package/a", size=100_000), _entry("package/b", size=100_000))
    archive.write_bytes(archive.read_bytes()[:150])
    with pytest.raises(InstallFailed, match="cannot be unpacked"):
        unpack_tarball(archive, tmp_path / "out", ROOMY)


def test_what_the_disk_refuses_is_a_home_error(tmp_path: Path) -> None:
    archive = _zip(tmp_path / "a.whl", a=b"x")
    with pytest.raises(HomeError):
        unpack_zip(archive, Path("/proc/no-such-place"), ROOMY)


def test_digest(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert digest_of(tmp_path / "a", "sha256").startswith("sha256:ba7816bf8f01cfea")
