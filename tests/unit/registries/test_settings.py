from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from vsm_mcp.registries.addresses import Addresses, read_addresses, shown
from vsm_mcp.registries.npmrc import read_npm_settings
from vsm_mcp.registries.pipconf import PythonSources, read_python_sources


def _environ(home: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(home), "XDG_CONFIG_DIRS": str(home / "none"), "PATH": "/nonexistent", **more}


def test_npmrc_of_the_user_is_read_with_variables_and_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text(
        "; a comment\nregistry = https://a.example/\n@me:registry=https://b.example/x\n"
        "//b.example/x/:_authToken=${TOKEN}\ncafile='/ca.pem'\n"
    )
    settings, referred = read_npm_settings(_environ(tmp_path, TOKEN="t0p", NPM_CONFIG_REGISTRY="https://c.example"))
    assert settings["registry"] == "https://c.example"
    assert settings["@me:registry"] == "https://b.example/x"
    assert settings["//b.example/x/:_authToken"] == "t0p"
    assert settings["cafile"] == "/ca.pem"
    assert referred == {"TOKEN"}


async def test_addresses_know_scopes_and_their_tokens(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text(
        "registry=https://a.example\n@me:registry=https://b.example/x\n//b.example/x/:_authToken=t0p\n"
    )
    environ = _environ(tmp_path, PIP_INDEX_URL="https://user:secret@p.example/simple", AWS_SECRET="no", UV_OFFLINE="0")
    found = await read_addresses(environ)
    assert found.npm == "https://a.example/"
    assert found.npm_registry("@me/thing") == "https://b.example/x/"
    assert found.npm_registry("@other/thing") == found.npm_registry("thing") == "https://a.example/"
    assert found.npm_authorization("https://b.example/x/@me%2fthing") == "Bearer t0p"
    assert found.npm_authorization("https://a.example/thing") == ""
    assert found.pypi_index == "https://user:secret@p.example/simple/"
    assert "secret" not in repr(found) and "t0p" not in repr(found)
    assert "AWS_SECRET" not in found.environ and found.environ["UV_OFFLINE"] == "0"


def test_the_default_index_is_the_one_of_the_library_which_is_not_loaded_for_it(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from vsm_mcp.registries.addresses import read_addresses;"
        f"print(asyncio.run(read_addresses({_environ(tmp_path)!r})).pypi_index, 'pypi_simple' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == [f"{PYPI_SIMPLE_ENDPOINT.rstrip('/')}/", "False"]


def test_pip_files_and_variables(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "pip"
    folder.mkdir(parents=True)
    (folder / "pip.conf").write_text(
        "[global]\nindex-url = https://a.example/simple\nextra-index-url = file:///one\n    https://two.example/s\n"
        "cert = /ca.pem\n[install]\nfind-links = /wheels\n"
    )
    found = read_python_sources(_environ(tmp_path))
    assert found == PythonSources(
        origin="pip",
        index="https://a.example/simple",
        extra=("file:///one", "https://two.example/s"),
        find_links=("/wheels",),
        ca_file="/ca.pem",
    )
    assert read_python_sources(_environ(tmp_path, PIP_INDEX_URL="https://b.example")).index == "https://b.example"


def test_uv_settings_win_over_pip_as_a_whole(tmp_path: Path) -> None:
    pip = {"PIP_INDEX_URL": "https://a.example/simple", "PIP_EXTRA_INDEX_URL": "https://b.example"}
    found = read_python_sources(_environ(tmp_path, UV_DEFAULT_INDEX="mine=https://u.example/simple", **pip))
    assert (found.origin, found.index, found.extra) == ("uv", "https://u.example/simple", ())
    (tmp_path / ".config" / "uv").mkdir(parents=True)
    (tmp_path / ".config" / "uv" / "uv.toml").write_text(
        '[[index]]\nurl = "https://x.example/s"\n[[index]]\nurl = "https://d.example/s"\ndefault = true\n'
    )
    found = read_python_sources(_environ(tmp_path, **pip))
    assert (found.origin, found.index, found.extra) == ("uv", "https://d.example/s", ("https://x.example/s",))


def test_unreadable_settings_count_as_empty(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_bytes(b"\xff\xfe=\x00\n[x\nregistry=https://a.example\n")
    (tmp_path / ".pip").mkdir()
    (tmp_path / ".pip" / "pip.conf").write_bytes(b"\xff not ini")
    assert read_npm_settings(_environ(tmp_path))[0]["registry"] == "https://a.example"
    assert read_python_sources(_environ(tmp_path, PIP_CONFIG_FILE="/dev/null")).origin == "default"


@pytest.mark.parametrize(
    ("host", "proxy"), [("a.example", "http://proxy:3128"), ("b.local", None), ("deep.b.local", None)]
)
def test_proxy_and_its_exceptions(host: str, proxy: str | None) -> None:
    addresses = Addresses(npm="", pypi_index="", proxies={"https": "http://proxy:3128", "no": "localhost, .b.local"})
    assert addresses.proxy(f"https://{host}/x") == proxy


def test_shown_address_holds_no_login() -> None:
    assert shown("https://user:secret@a.example/simple/") == "https://a.example/simple/"
