"""Where the package registries are, read from what npm, pip and uv are told on this machine.

No registry has its address in this program: npm's default is read from npm's own files, or npm is asked for it; the
default index of Python packages comes from the ``pypi-simple`` library.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from vsm_mcp.registries.npmrc import read_npm_settings
from vsm_mcp.registries.pipconf import PythonSources, read_python_sources

_ASK_SECONDS: Final = 20.0
_ENDPOINT: Final = re.compile(r"""^PYPI_SIMPLE_ENDPOINT\b[^=\n]*=\s*["'](https://[^"']+)["']""", re.MULTILINE)
_DEFINITIONS: Final = "node_modules/@npmcli/config/lib/definitions/definitions.js"
_DEFAULT: Final = re.compile(r"""["']registry["'],\s*\{\s*default:\s*["'](https?://[^"'\s]+)["']""")
_PASSED: Final = frozenset(
    {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"}
    | {"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "PYENV_ROOT"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"}
)


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """The registries of this machine; every address ends in ``/``. Never shown whole: addresses may hold passwords.

    ``npm`` is empty where npm is not installed. ``npm_auth`` maps ``//host/path/`` to the value of an
    ``Authorization`` header. ``environ`` is what npm and uv need of our environment, and nothing else.
    """

    npm: str
    pypi_index: str
    npm_scopes: dict[str, str] = {}
    npm_auth: dict[str, str] = {}
    npm_nodedir: str = ""
    python: PythonSources = PythonSources()
    ca_file: str = ""
    proxies: dict[str, str] = {}
    environ: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Addresses(npm={shown(self.npm)!r}, pypi_index={shown(self.pypi_index)!r})"

    @property
    def pypi_extra(self) -> tuple[str, ...]:
        """Further indexes of Python packages (``https://…`` or ``file://…``), as configured."""
        return tuple(_slashed(url) for url in self.python.extra)

    @property
    def find_links(self) -> tuple[str, ...]:
        """Folders or pages that hold Python packages, as configured."""
        return self.python.find_links

    def npm_registry(self, name: str) -> str:
        """Return the registry of one npm package: its scope's, or the default one."""
        scope = name.split("/", 1)[0] if name.startswith("@") else ""
        return self.npm_scopes.get(scope, self.npm)

    def npm_authorization(self, url: str) -> str:
        """Return the ``Authorization`` header for ``url``, or ``""`` (npm: the longest prefix without scheme)."""
        bare = url.split(":", 1)[-1]
        fitting = [prefix for prefix in self.npm_auth if bare.startswith(prefix)]
        return self.npm_auth[max(fitting, key=len)] if fitting else ""

    def proxy(self, url: str) -> str | None:
        """Return the proxy for ``url``, or ``None``."""
        parts = urlsplit(url)
        if _without_proxy(parts.hostname or "", self.proxies.get("no", "")):
            return None
        return self.proxies.get(parts.scheme) or self.proxies.get("all") or None


async def read_addresses(environ: Mapping[str, str]) -> Addresses:
    """Read npm's, pip's and uv's settings; asks npm for its default registry where no file names one."""
    npm, referred = read_npm_settings(environ)
    python = read_python_sources(environ)
    passed = {name: value for name, value in environ.items() if _is_passed(name) or name in referred}
    registry = npm.get("registry") or await default_npm_registry(passed)
    ca_file = npm.get("cafile") or python.ca_file
    return Addresses(
        npm=_slashed(registry),
        pypi_index=_slashed(python.index or _default_index()),
        npm_scopes={key[: -len(":registry")]: _slashed(url) for key, url in npm.items() if _names_scope(key)},
        npm_auth=_authorizations(npm),
        npm_nodedir=npm.get("nodedir", ""),
        python=python,
        ca_file=environ.get("SSL_CERT_FILE") or environ.get("NODE_EXTRA_CA_CERTS") or ca_file,
        proxies=_proxies(environ, npm, python),
        environ=passed,
    )


def shown(url: str) -> str:
    """Return an address without user and password, for messages."""
    head, sep, tail = url.partition("://")
    host, slash, path = tail.partition("/")
    return f"{head}{sep}{host.rpartition('@')[2]}{slash}{path}"


def _is_passed(name: str) -> bool:
    return name in _PASSED or name.startswith("UV_") or name.lower().startswith("npm_config_")


def _names_scope(key: str) -> bool:
    return key.startswith("@") and key.endswith(":registry")


def _slashed(url: str) -> str:
    return url if not url or url.endswith("/") else url + "/"


def _default_index() -> str:
    # Read, not imported: it would bring in requests and bs4, 0.3 s of every search for one word.
    spec = importlib.util.find_spec("pypi_simple")
    with contextlib.suppress(OSError, UnicodeDecodeError):
        found = _ENDPOINT.search(Path((spec and spec.origin) or "").read_text("utf-8"))
        if found:
            return found[1]
    return str(importlib.import_module("pypi_simple").PYPI_SIMPLE_ENDPOINT)


def _npm_default(npm: str) -> str:
    """Return the registry that npm's own code has for its default; empty where it is not to be found."""
    # Read, not asked: npm takes 0.2 s to say it. A version manager's shim has no such file beside it, and is asked.
    with contextlib.suppress(OSError, UnicodeDecodeError):
        found = _DEFAULT.search((Path(npm).resolve().parent.parent / _DEFINITIONS).read_text("utf-8"))
        if found:
            return found[1]
    return ""


async def default_npm_registry(environ: Mapping[str, str]) -> str:
    """Return the registry that npm uses where nothing is set, as npm itself has it; empty without npm."""
    npm = shutil.which("npm", path=environ.get("PATH"))
    if npm is None:
        return ""
    if written := _npm_default(npm):
        return written
    process = await asyncio.create_subprocess_exec(
        npm, "config", "get", "registry", "--global",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env=dict(environ), cwd="/",
    )  # fmt: skip
    try:
        out, _ = await asyncio.wait_for(process.communicate(), _ASK_SECONDS)
    except TimeoutError:
        return ""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    answer = out.decode("utf-8", "replace").strip()
    return answer if answer.startswith(("http://", "https://")) else ""


def _authorizations(npm: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in npm.items():
        if key.startswith("//") and key.endswith(":_authToken"):
            found[key[: -len(":_authToken")]] = f"Bearer {value}"
        elif key.startswith("//") and key.endswith(":_auth"):
            found[key[: -len(":_auth")]] = f"Basic {value}"
    return found


def _proxies(environ: Mapping[str, str], npm: Mapping[str, str], python: PythonSources) -> dict[str, str]:
    proxies = {"no": npm.get("noproxy", "")}
    configured = {"http": npm.get("proxy", ""), "https": npm.get("https-proxy") or npm.get("proxy") or python.proxy}
    proxies |= {scheme: url for scheme, url in configured.items() if url.startswith("http")}
    for scheme in ("http", "https", "all", "no"):
        value = environ.get(f"{scheme}_proxy") or environ.get(f"{scheme.upper()}_PROXY")
        if value:
            proxies[scheme] = value
    return {scheme: url for scheme, url in proxies.items() if url}


def _without_proxy(host: str, exceptions: str) -> bool:
    """Whether ``no_proxy`` names the host or a domain it is in."""
    names = [name.strip().lstrip("*").lstrip(".").lower() for name in exceptions.split(",")]
    return exceptions.strip() == "*" or any(name and (host == name or host.endswith(f".{name}")) for name in names)


def package_file(url: str) -> Path | None:
    """Return the local path of a ``file://`` address, or ``None`` for any other one."""
    parts = urlsplit(url)
    return Path(parts.path) if parts.scheme == "file" else None
