"""Which paths are mounted, and in which order."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.errors import BadArgument
from vsm_mcp.sandbox.confinement import HOME, Confinement
from vsm_mcp.sandbox.mounts import Mount, check_cwd, parents, plan


def kinds(confinement: Confinement) -> dict[str, str]:
    return {mount.path: mount.kind for mount in plan(confinement)}


def test_parents_come_before_what_lies_in_them(tmp_path: Path) -> None:
    for name in ("a-b", "a/b/c"):
        (tmp_path / name).mkdir(parents=True)
    base = str(tmp_path)
    found = plan(
        Confinement(granted_writable=(f"{base}/a/b/c", f"{base}/a-b"), granted_read_only=(f"{base}/a/b", f"{base}/a"))
    )
    assert [mount.path for mount in found] == [f"{base}/a", f"{base}/a/b", f"{base}/a/b/c", f"{base}/a-b"]


def test_widest_right_wins(tmp_path: Path) -> None:
    path = str(tmp_path)
    assert kinds(Confinement(granted_read_only=(path,), granted_writable=(f"/{path}/",))) == {path: "rw"}
    assert kinds(Confinement(read_only=(path,), writable=(path,))) == {path: "rw"}


def test_system_directories_are_there_already() -> None:
    assert kinds(Confinement(read_only=("/usr", "/usr/bin"))) == {}


def test_hidden_matters_only_inside_a_grant(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    path, home = str(tmp_path), str(tmp_path / "home")
    assert kinds(Confinement(hidden=(home,))) == {}
    assert kinds(Confinement(granted_read_only=(path,), hidden=(home,))) == {path: "ro", home: "hidden"}


def test_own_directory_that_not_all_may_read_is_mapped(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert plan(Confinement(read_only=(str(tmp_path),)))[0].mapped
    tmp_path.chmod(0o755)
    assert not plan(Confinement(read_only=(str(tmp_path),)))[0].mapped
    assert plan(Confinement(granted_read_only=(str(tmp_path),)))[0].mapped


@pytest.mark.parametrize(
    "path", ["", "x/y", "./x", "/", "//", "/tmp/..", "/proc", "/proc/self/root", "/sys", "/dev/sda", "/etc"]
)
def test_what_cannot_be_granted(path: str) -> None:
    with pytest.raises(BadArgument, match="path"):
        plan(Confinement(granted_writable=(path,)))


def test_link_to_what_cannot_be_granted(tmp_path: Path) -> None:
    (tmp_path / "all").symlink_to("/")
    with pytest.raises(BadArgument, match="all cannot be granted"):
        plan(Confinement(granted_writable=(str(tmp_path / "all"),)))


@pytest.mark.parametrize("kind", ["granted_read_only", "granted_writable", "read_only", "hidden"])
def test_link_that_the_server_may_have_planted_is_not_followed(tmp_path: Path, kind: str) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "given/inner").mkdir(parents=True)
    outer, inner = str(tmp_path / "given"), str(tmp_path / "given/inner/path")
    for target in ("secret", "given/other"):
        (tmp_path / "given/other").mkdir(exist_ok=True)
        (tmp_path / "given/inner/path").unlink(missing_ok=True)
        (tmp_path / "given/inner/path").symlink_to(tmp_path / target)
        more = (outer, inner) if kind == "granted_writable" else (inner,)
        plain = Confinement(granted_writable=(outer,))
        confinement = msgspec.structs.replace(plain, **{kind: more})
        if target == "given/other":  # it may write there anyway
            assert outer in kinds(confinement)
        else:
            with pytest.raises(BadArgument, match=r"inner/path leads out of .*/given, where the server may write"):
                plan(confinement)


def test_link_in_a_grant_for_reading_is_the_work_of_a_person(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "given").mkdir()
    (tmp_path / "given/link").symlink_to(tmp_path / "real")
    outer, link = str(tmp_path / "given"), str(tmp_path / "given/link")
    assert kinds(Confinement(granted_read_only=(outer, link))) == {outer: "ro", link: "ro"}


def test_absent_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadArgument, match=f"{tmp_path}/absent cannot be granted: No such file"):
        plan(Confinement(granted_read_only=(f"{tmp_path}/absent",)))


def test_working_directory(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    mounts = (Mount(path=str(tmp_path), kind="ro"),)
    for cwd in (HOME, "/tmp", "/", str(tmp_path), str(tmp_path / "in"), str(tmp_path.parent), "/usr/bin"):
        check_cwd(cwd, mounts)
    for cwd in (str(tmp_path / "absent"), "/root/elsewhere", "/usr/absent", "relative"):
        with pytest.raises(BadArgument, match="working directory"):
            check_cwd(cwd, mounts)


names = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(st.lists(names, unique=True).map(sorted))
def test_each_missing_parent_is_made_once_and_in_time(paths: list[str]) -> None:
    there = {"/"}
    for mount, missing in parents(tuple(Mount(path=path, kind="ro") for path in paths)):
        for directory in missing:
            assert directory not in there
            assert str(Path(directory).parent) in there
            there.add(directory)
        assert str(Path(mount.path).parent) in there | set(paths)
        there.add(mount.path)
