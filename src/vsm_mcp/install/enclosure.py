"""What npm and uv may touch while they install: one directory, their caches, the registries' hosts, and nothing else.

They run no code of packages, but they unpack and parse what strangers made.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from vsm_mcp.errors import BadArgument, RegistryUnavailable, SandboxUnavailable
from vsm_mcp.install.installer import Bench
from vsm_mcp.registries.addresses import Addresses, package_file
from vsm_mcp.sandbox.confinement import TMP, Command, Completed, Confinement
from vsm_mcp.sandbox.egress.rules import AllowList, Rule, allow_list, parse, written

MAX_OUTPUT: Final = 32 * 1024 * 1024
_SCRATCH: Final = 1024 * 1024 * 1024
_PROCESSES: Final = 512
_FILES: Final = 4096
_PORTS: Final = {"https": 443, "http": 80, "git": 9418}
_SHOWN_ANYWAY: Final = ("/usr/", "/etc/ssl/", "/etc/pki/", "/etc/ca-certificates/")
_SETTINGS: Final = (".npmrc", ".netrc", ".config/uv/uv.toml")
_NAMED_BY: Final = (
    "npm_config_userconfig",
    "npm_config_globalconfig",
    "UV_CONFIG_FILE",
    "NETRC",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
)


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of a ``tool`` is about: the ``folder`` it may change, what it ``reads``, the ``urls`` it may fetch.

    The configured registries need not be among them. ``also`` are further folders it may change. One that is ``bare``
    gets nothing of the person's: no settings, no caches, no registries, and of the environment what the network needs.
    """

    tool: str
    folder: Path
    also: tuple[Path, ...] = ()
    bare: bool = False
    reads: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()


async def run_enclosed(
    bench: Bench, argv: tuple[str, ...], env: Mapping[str, str], work: Work, *, cwd: str, seconds: float
) -> Completed:
    """Run a tool in the sandbox. Raises :class:`SandboxUnavailable` where that cannot be had.

    Raises :class:`RegistryUnavailable` when it failed after it was refused a host.
    """
    assert bench.run_sandboxed is not None  # noqa: S101 - the caller has looked
    caches = () if work.bare else tuple(cache_folders(env))
    try:
        for cache in caches:
            cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SandboxUnavailable(f"a cache cannot be made: {error}") from error
    addresses, limits = bench.registries.addresses, bench.config.sandbox
    confinement = Confinement(
        read_only=work.reads,
        granted_read_only=tuple(certificates(addresses, env) if work.bare else settings_files(addresses, env)),
        writable=tuple(map(str, (work.folder, *work.also, *caches))),
        network=hosts(addresses, work.urls, bench.config.install.hosts, registries=not work.bare),
        memory_bytes=limits.build_memory_bytes,
        cpus=0,
        processes=max(limits.processes, _PROCESSES),
        open_files=max(limits.open_files, _FILES),
        scratch_bytes=_SCRATCH,
    )
    command = Command(argv=argv, env={**env, "TMPDIR": TMP}, cwd=cwd)
    done = await bench.run_sandboxed(
        command, confinement, name=f"install-{work.tool}", timeout=seconds, max_output=MAX_OUTPUT
    )
    refused = [contact for contact in done.contacts if not contact.allowed and contact.grant]
    if not done.ok and refused:
        places = ", ".join(dict.fromkeys(contact.grant for contact in refused))
        raise RegistryUnavailable(
            f"{work.tool} wanted to reach {places}, where no registry is that this machine is told of",
            'if it may: [install] hosts = ["HOST:PORT"] in vsm-mcp.toml',
        )
    return done


def hosts(
    addresses: Addresses, urls: Iterable[str], further: Iterable[str] = (), *, registries: bool = True
) -> AllowList:
    """Return where a tool may go: to the registries, or to the proxy before them, wherever their names lead."""
    sources = [addresses.npm, *addresses.npm_scopes.values(), addresses.pypi_index, *addresses.pypi_extra]
    sources = [*sources, *addresses.find_links] if registries else []
    found: dict[str, Rule] = {}
    for url in (*sources, *urls):
        place = _place(addresses, url) if url.split("://", 1)[0] in _PORTS else ""
        if place:
            found[place] = msgspec.structs.replace(parse(place), anywhere=True)
    for rule in allow_list(further).rules:
        found[str(rule)] = msgspec.structs.replace(rule, anywhere=True)
    return AllowList(tuple(found.values()))


def _place(addresses: Addresses, url: str) -> str:
    """Return ``HOST:PORT`` of an address, or of the proxy before it; "" where nothing can be made of it."""
    try:
        parts = urlsplit(addresses.proxy(url) or url)
        port = parts.port or _PORTS[parts.scheme]
        place = written(parts.hostname or "", port)
        parse(place)
    except (ValueError, BadArgument):
        return ""
    return place


def cache_folders(env: Mapping[str, str]) -> Iterator[Path]:
    """Yield where npm and uv keep what they downloaded."""
    home = Path(env["HOME"])
    named = {name.lower(): value for name, value in env.items()}
    yield Path(named.get("npm_config_cache") or home / ".npm")
    yield Path(env.get("UV_CACHE_DIR") or Path(env.get("XDG_CACHE_HOME") or home / ".cache") / "uv")


def certificates(addresses: Addresses, env: Mapping[str, str]) -> Iterator[str]:
    """Yield the files with the authorities that this machine trusts beside its system's."""
    for path in (addresses.ca_file, env.get("SSL_CERT_FILE", ""), env.get("SSL_CERT_DIR", "")):
        if path and Path(path).exists() and not path.startswith(_SHOWN_ANYWAY):
            yield path


def settings_files(addresses: Addresses, env: Mapping[str, str]) -> Iterator[str]:
    """Yield the files and folders that npm and uv read and that are there: settings, certificates, local indexes."""
    home = Path(env["HOME"])
    named = {name.lower(): value for name, value in env.items()}
    paths = [home / name for name in _SETTINGS] + [Path("/etc/npmrc"), Path("/etc/uv")]
    for name in _NAMED_BY:
        paths += [Path(part) for part in named.get(name.lower(), "").split(os.pathsep) if part]
    paths += [Path(addresses.ca_file)] if addresses.ca_file else []
    for url in (addresses.pypi_index, *addresses.pypi_extra, *addresses.find_links):
        local = package_file(url) or (Path(url) if url.startswith("/") else None)
        if local is not None:  # by custom an index is called simple, and what it leads to lies beside it
            paths.append(local.parent if local.name == "simple" else local)
    for path in paths:
        text = os.path.realpath(path)
        if path.exists() and not str(path).startswith(_SHOWN_ANYWAY) and text != "/dev/null":
            yield str(path)
