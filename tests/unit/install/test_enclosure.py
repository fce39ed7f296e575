"""What npm and uv may touch while they install."""

from __future__ import annotations

from pathlib import Path

import pytest

from vsm_mcp.install import enclosure
from vsm_mcp.registries.addresses import Addresses
from vsm_mcp.registries.pipconf import PythonSources

MACHINE = Addresses(
    npm="https://npm.example/",
    npm_scopes={"@corp": "http://verdaccio.corp.example:4873/"},
    pypi_index="https://user:secret@index.example/simple/",
    python=PythonSources(extra=("file:///srv/pypi/simple", "http://127.0.0.1:3141/root/"), find_links=("/srv/wheels",)),
)


def places(addresses: Addresses, *urls: str, further: tuple[str, ...] = ()) -> set[str]:
    return {str(rule) for rule in enclosure.hosts(addresses, urls, further).rules}


def test_the_registries_of_this_machine_may_be_reached_and_what_a_lock_names() -> None:
    registries = {"npm.example:443", "verdaccio.corp.example:4873", "index.example:443", "127.0.0.1:3141"}
    assert places(MACHINE) == registries
    assert places(MACHINE, "https://files.example/a.whl", "file:///a", "ftp://x/", "https://[/") == {
        *registries,
        "files.example:443",
    }
    assert places(MACHINE, further=("blobs.example", "10.0.0.5:80")) == {
        *registries,
        "blobs.example:80,blobs.example:443",
        "10.0.0.5:80",
    }
    assert all(rule.anywhere for rule in enclosure.hosts(MACHINE, ()).rules)  # a person wrote them down


def test_a_proxy_takes_the_place_of_what_lies_behind_it() -> None:
    behind = Addresses(
        npm="https://npm.example/",
        pypi_index="https://index.inside.example/simple/",
        proxies={"https": "http://me:secret@proxy.corp.example:3128", "no": ".inside.example"},
    )
    assert places(behind) == {"proxy.corp.example:3128", "index.inside.example:443"}


@pytest.mark.parametrize(
    ("given", "npm", "uv"),
    [
        ({}, ".npm", ".cache/uv"),
        ({"npm_config_cache": "/c/npm", "UV_CACHE_DIR": "/c/uv"}, "/c/npm", "/c/uv"),
        ({"NPM_CONFIG_CACHE": "/c/npm", "XDG_CACHE_HOME": "/c"}, "/c/npm", "/c/uv"),
    ],
)
def test_caches_are_where_the_tools_keep_them(given: dict[str, str], npm: str, uv: str) -> None:
    home = Path("/home/somebody")
    assert list(enclosure.cache_folders({"HOME": str(home), **given})) == [home / npm, home / uv]


def test_settings_certificates_and_local_indexes_are_shown(tmp_path: Path) -> None:
    for name in (".npmrc", "other/npmrc", "certs/x", "ca.pem", "pypi/simple/x", "wheels/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    addresses = Addresses(
        npm="",
        pypi_index=f"file://{tmp_path}/pypi/simple/",
        ca_file=str(tmp_path / "ca.pem"),
        python=PythonSources(find_links=(f"{tmp_path}/wheels", "/nonexistent/wheels")),
    )
    env = {
        "HOME": str(tmp_path),
        "NPM_CONFIG_USERCONFIG": str(tmp_path / "other/npmrc"),
        "npm_config_globalconfig": "/dev/null",
        "SSL_CERT_DIR": f"/nonexistent:{tmp_path}/certs",
        "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",  # shown anyway
    }
    found = [path for path in enclosure.settings_files(addresses, env) if path.startswith(str(tmp_path))]
    assert found == [str(tmp_path / name) for name in (".npmrc", "other/npmrc", "certs", "ca.pem", "pypi", "wheels")]
    assert set(enclosure.settings_files(addresses, env)) - set(found) <= {"/etc/npmrc", "/etc/uv"}
