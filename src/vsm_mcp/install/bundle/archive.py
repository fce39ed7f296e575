"""The file of a bundle: from this machine or from an address, within limits, known by its hash."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import zipfile
import zlib
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from vsm_mcp.errors import BadArgument, InstallFailed, RegistryUnavailable, UnknownPackage
from vsm_mcp.install.archive import digest_of
from vsm_mcp.install.bundle.manifest import NAME
from vsm_mcp.install.files import home_errors, written
from vsm_mcp.install.installer import Bench
from vsm_mcp.model.loopback import on_loopback
from vsm_mcp.model.ref import Ref

_MOST: Final = 1024 * 1024
_MALFORMED: Final = "the archive is malformed or hostile; do not install it"


class Bundles:
    """Bundles as files of this machine; those from an address are kept below ``cache/bundles``, by their hash."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._cache = bench.config.home / "cache" / "bundles"

    async def file(self, ref: Ref) -> tuple[Path, str]:
        """Return the file of a reference and its ``sha256:hex``. Raises :class:`InstallFailed` for another hash."""
        wanted = ref.version.replace("sha256=", "sha256:", 1)
        if "://" not in ref.name:
            path = self._local(ref.name)
            digest = await asyncio.to_thread(digest_of, path, "sha256")
        else:
            kept = self.kept(wanted) if wanted else None
            path, digest = (kept, wanted) if kept and kept.is_file() else await self._downloaded(ref)
        if wanted and digest != wanted:
            raise InstallFailed(
                f"the bundle {shown(ref)} does not match its hash", "it is another file; do not trust it"
            )
        return path, digest

    def kept(self, digest: str) -> Path:
        """Return where a bundle with this digest is kept, whether it is there or not."""
        return self._cache / f"{digest.partition(':')[2]}.mcpb"

    def _local(self, name: str) -> Path:
        user = self._bench.registries.addresses.environ.get("HOME", "")
        path = Path(user + name[1:] if name.startswith("~/") else name).absolute()
        if not path.is_file():
            raise BadArgument(f"{path} is not there, or no file", "name a bundle: mcpb:FILE, or mcpb:https://HOST/FILE")
        if path.stat().st_size > self._bench.config.install.max_package_bytes:
            raise self._too_large(path.name)
        return path

    async def _downloaded(self, ref: Ref) -> tuple[Path, str]:
        parts = urlsplit(ref.name)
        if parts.scheme == "http" and not on_loopback(parts.hostname or "") and not ref.version:
            raise BadArgument(
                "http:// can be changed by anyone on the way", "write https://…, or give the hash: mcpb:URL#sha256=HEX"
            )
        with home_errors(self._cache):
            self._cache.mkdir(parents=True, exist_ok=True)
        part = self._cache / f".{secrets.token_hex(8)}.part"
        try:
            async with asyncio.timeout(self._bench.config.install.build_timeout_seconds):
                digest = await self._written(ref, part)
            path = self.kept(digest)
            with home_errors(path):
                part.replace(path)
        except TimeoutError as error:
            raise RegistryUnavailable(f"{shown(ref)} took too long", "try again") from error
        except UnknownPackage as error:
            raise UnknownPackage(f"{shown(ref)} is not there", "check the address of the bundle") from error
        finally:
            part.unlink(missing_ok=True)
        return path, digest

    async def _written(self, ref: Ref, part: Path) -> str:
        digest, size = hashlib.sha256(), 0
        async with self._bench.registries.open(ref.name) as pieces:
            with written(part) as write:
                async for piece in pieces:
                    size += len(piece)
                    if size > self._bench.config.install.max_package_bytes:
                        raise self._too_large(shown(ref))
                    digest.update(piece)
                    write(piece)
        return f"sha256:{digest.hexdigest()}"

    def _too_large(self, name: str) -> InstallFailed:
        limit = self._bench.config.install.max_package_bytes
        return InstallFailed(f"{name} is larger than {limit >> 20} MB", "raise [install] max_package_bytes")


def shown(ref: Ref) -> str:
    """Return what a bundle is called: the last part of its path or address."""
    return os.path.basename(urlsplit(ref.name).path if "://" in ref.name else ref.name) or "bundle"  # noqa: PTH119


def manifest_bytes(path: Path) -> bytes:
    """Return the manifest in a bundle, without unpacking it. Raises :class:`InstallFailed`."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(archive.getinfo(NAME)) as member:
            data = member.read(_MOST + 1)
    except KeyError as error:
        raise InstallFailed(
            f"{path.name} is no MCP bundle: it has no {NAME}", "ask its publisher for a bundle"
        ) from error
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError, ValueError) as error:
        raise InstallFailed(f"{path.name} cannot be unpacked: {error}", _MALFORMED) from error
    if len(data) > _MOST:
        raise InstallFailed(f"the {NAME} of {path.name} is larger than {_MOST >> 20} MB", _MALFORMED)
    return data
