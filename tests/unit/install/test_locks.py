from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install import npm_lock, python_lock
from vsm_mcp.registries.addresses import Addresses
from vsm_mcp.registries.pipconf import PythonSources

A, B = "a" * 64, "b" * 64
LOCK = f"""\
mcp==1.2.0 ; python_version >= "3.9" \\
    --hash=sha256:{A} \\
    --hash=sha256:{B}
My_Pkg[x]==2.0 \\
    --hash=sha256:{B}
"""


def _lock(**entries: dict[str, Any]) -> str:
    packages = {f"node_modules/{name}": entry for name, entry in entries.items()}
    return json.dumps({"lockfileVersion": 3, "packages": {"": {"name": "root"}, **packages}})


GOOD = {"version": "1.0.0", "resolved": "https://r.example/x.tgz", "integrity": "sha512-AAAA"}


def test_python_lock_is_read() -> None:
    assert python_lock.versions(LOCK) == {"mcp": "1.2.0", "my-pkg": "2.0"}
    assert python_lock.hashes(LOCK) == {"mcp": {f"sha256:{A}", f"sha256:{B}"}, "my-pkg": {f"sha256:{B}"}}


def test_the_fetched_file_takes_the_place_of_its_requirement() -> None:
    text = python_lock.pinned_to_file(LOCK, "my-pkg==2.0", Path("/s/my_pkg.whl"), f"sha256:{B}")
    assert text.splitlines()[0] == f"my-pkg @ file:///s/my_pkg.whl --hash=sha256:{B}"
    assert "My_Pkg" not in text and "mcp==1.2.0" in text and text.count("--hash") == 3


def test_a_file_with_another_hash_is_refused() -> None:
    with pytest.raises(InstallFailed, match="not the file that was locked"):
        python_lock.pinned_to_file(LOCK, "my-pkg==2.0", Path("/s/my_pkg.whl"), f"sha256:{A}")


def test_pip_settings_become_uv_settings() -> None:
    python = PythonSources(origin="pip", index="https://i.example/s", extra=("file:///x",), find_links=("/w", "/v"))
    environ = python_lock.uv_environ(Addresses(npm="", pypi_index="", python=python, ca_file="/ca"))
    assert environ["UV_DEFAULT_INDEX"] == "https://i.example/s"
    assert environ["UV_INDEX"] == "file:///x"
    assert environ["UV_FIND_LINKS"] == "/w,/v"
    assert environ["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert environ["SSL_CERT_FILE"] == "/ca"
    own = python_lock.uv_environ(Addresses(npm="", pypi_index="", python=PythonSources(origin="uv", index="https://u")))
    assert "UV_DEFAULT_INDEX" not in own and "UV_INDEX_STRATEGY" not in own


def test_npm_lock_is_read() -> None:
    lock = _lock(**{"x": GOOD, "x/node_modules/y": {**GOOD, "version": "2.0.0"}})
    npm_lock.check("x", lock)
    assert npm_lock.versions(lock) == {"x": "1.0.0", "x/node_modules/y": "2.0.0"}
    assert npm_lock.hex_digest("sha1-AAAA sha512-qqo=") == "sha512:aaaa"
    assert npm_lock.hex_digest("rubbish") == ""


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({**GOOD, "resolved": "git+ssh://git@h/x.git#abc"}, "from git"),
        ({**GOOD, "resolved": "file:../x"}, "from file"),
        ({"version": "1.0.0", "resolved": "https://r.example/x.tgz"}, "no hash"),
        ({**GOOD, "link": True}, "by a link"),
    ],
)
def test_trees_that_cannot_be_verified_are_refused(entry: dict[str, Any], said: str) -> None:
    with pytest.raises(InstallFailed, match=said):
        npm_lock.check("p", _lock(x=entry))


def test_paths_outside_are_refused() -> None:
    lock = json.dumps({"packages": {"": {}, "node_modules/../../x": GOOD}})
    with pytest.raises(InstallFailed, match="outside"):
        npm_lock.check("p", lock)


def test_strangers_in_another_lock() -> None:
    lock = _lock(x=GOOD, y=GOOD)
    assert npm_lock.strangers(lock, _lock(x=GOOD)) == frozenset()
    assert npm_lock.strangers(lock, _lock(x={**GOOD, "integrity": "sha512-BBBB"})) == {"node_modules/x"}


def test_install_scripts_are_read_from_the_packages_themselves(tmp_path: Path) -> None:
    manifests = {
        "a": {"scripts": {"install": "node-gyp rebuild", "test": "x", "postinstall": ""}},
        "b": {},
        "c": {"gypfile": False},
        "d": {"scripts": {"preinstall": "p"}},
        "e": {"scripts": "rubbish"},
    }
    for name, manifest in manifests.items():
        folder = tmp_path / "node_modules" / name
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps(manifest))
        if name in {"b", "c", "d"}:
            (folder / "binding.gyp").write_text("{}")
    lock = _lock(**dict.fromkeys([*manifests, "not-for-this-platform"], GOOD))
    found = [(script.package, script.name, script.command) for script in npm_lock.scripts_of(tmp_path, lock)]
    assert found == [
        ("a", "install", "node-gyp rebuild"),
        ("b", "install", "node-gyp rebuild"),
        ("d", "preinstall", "p"),
    ]
