from __future__ import annotations

import email.message
import sys
from pathlib import Path
from typing import Any

import pytest

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.interpreter import Interpreter, own_interpreter
from vsm_mcp.install.wheel import best_wheel, newest, read_manifest, same_version


def _wheel(filename: str, **more: Any) -> dict[str, Any]:
    return {"filename": filename, "packagetype": "bdist_wheel", "yanked": False, **more}


def test_own_interpreter_is_outside_of_the_virtual_environment() -> None:
    own = own_interpreter()
    assert Path(own.path).resolve() == Path(own.path)
    assert not (Path(own.path).parent.parent / "pyvenv.cfg").exists()
    assert own.version.split(".")[:2] == [str(part) for part in sys.version_info[:2]]


@pytest.mark.parametrize(
    ("requires", "fits"), [("", True), (">=3.11", True), (">=3.12", False), ("<4,>=3.9", True), ("rubbish", True)]
)
def test_requires_python(requires: str, fits: bool) -> None:
    assert Interpreter(path="/p", version="3.11.7", prefix="/").fits(requires) is fits


def test_the_most_specific_wheel_for_an_interpreter() -> None:
    python = Interpreter(path="/p", version="3.12.1", prefix="/")
    platform = next(tag.platform for tag in python.tags() if tag.platform != "any")
    pure = _wheel("x-1-py3-none-any.whl")
    native = _wheel(f"x-1-cp312-cp312-{platform}.whl")
    stable = _wheel(f"x-1-cp310-abi3-{platform}.whl")
    other = _wheel(f"x-1-cp311-cp311-{platform}.whl")
    odd = _wheel("no-wheel-name.whl")
    assert best_wheel([odd, pure, other, stable, native], python.tags()) is native
    assert best_wheel([pure, other, stable], python.tags()) is stable
    assert best_wheel([pure, other], python.tags()) is pure
    assert best_wheel([other, {"filename": "x-1.tar.gz", "packagetype": "sdist"}], python.tags()) is None


def test_newest_versions_come_first_and_unusable_ones_not_at_all() -> None:
    wheel = _wheel("x-1-py3-none-any.whl")
    releases = {
        "1.0": [wheel],
        "1.10": [wheel],
        "2.0rc1": [wheel],
        "1.9": [wheel],
        "3.0": [{**wheel, "yanked": True}],
        "4.0": [{"filename": "x-4.0.tar.gz", "packagetype": "sdist"}],
        "odd version": [wheel],
    }
    assert newest(releases) == ["1.10", "1.9", "1.0", "2.0rc1"]
    assert same_version(releases, "1.0.0") == "1.0"
    assert same_version(releases, "9") == same_version(releases, "rubbish!") == ""


def test_the_manifest_of_a_wheel(tmp_path: Path) -> None:
    info = tmp_path / "x-1.0.dist-info"
    info.mkdir()
    message = email.message.Message()
    for key, value in {"Name": "x", "Version": "1.0", "Requires-Python": ">=3.9", "License": "MIT"}.items():
        message[key] = value
    (info / "METADATA").write_text(str(message))
    (info / "entry_points.txt").write_text("[console_scripts]\nx-mcp = x:main\n")
    (tmp_path / "x-1.0.data" / "scripts").mkdir(parents=True)
    (tmp_path / "x-1.0.data" / "scripts" / "native").write_bytes(b"\x7fELF")
    manifest = read_manifest(tmp_path, "x")
    assert manifest["console_scripts"] == {"x-mcp": "x:main"}
    assert manifest["scripts"] == ["native"]
    assert manifest["modules"] == []
    for folder in ("x_mcp", "x-1.0.data", "other"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / ("__main__.py" if folder != "other" else "__init__.py")).touch()
    assert read_manifest(tmp_path, "x")["modules"] == ["x_mcp"]
    assert (manifest["name"], manifest["requires_python"], manifest["license"]) == ("x", ">=3.9", "MIT")
    with pytest.raises(InstallFailed, match="no readable metadata"):
        read_manifest(info, "x")
