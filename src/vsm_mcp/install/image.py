"""What an engine says about an image (``image inspect``), and what of it is used. Pure."""

from __future__ import annotations

import platform
from pathlib import PurePosixPath
from typing import Final

import msgspec

from vsm_mcp.errors import InstallFailed

_MACHINES: Final = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """One image as it lies here: ``id`` names its bytes, ``digest`` is what its registry calls it (or the id).

    ``digests`` are all names it has in registries, ``size`` is in bytes.
    """

    id: str
    digest: str
    digests: tuple[str, ...] = ()
    architecture: str = ""
    size: int = 0
    user: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    layers: int = 0


def read_image(answer: bytes, name: str) -> Image:
    """Read the answer of an engine about the image ``name``. Raises :class:`InstallFailed` for one that is none."""
    try:
        (found,) = msgspec.json.decode(answer)
        config, ident = found.get("Config") or {}, _hashed(str(found["Id"]))
        digests = tuple(map(str, found.get("RepoDigests") or ()))
        return Image(
            id=ident,
            digest=_digest(name, digests) or ident,
            digests=digests,
            architecture=str(found.get("Architecture", "")),
            size=int(found.get("Size", 0)),
            user=str(config.get("User") or found.get("User") or ""),
            entrypoint=tuple(map(str, config.get("Entrypoint") or ())),
            command=tuple(map(str, config.get("Cmd") or ())),
            labels={str(key): str(value) for key, value in (config.get("Labels") or {}).items()},
            layers=len((found.get("RootFS") or {}).get("Layers") or ()),
        )
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InstallFailed(
            f"the engine says nothing usable about {name}", "look with podman or docker inspect"
        ) from error


def check_image(image: Image, name: str, most: int) -> None:
    """Raise :class:`InstallFailed` for an image that cannot run here as a server, or of more than ``most`` bytes."""
    wanted = name.rpartition("@")[2] if "@" in name else ""
    if wanted and wanted not in {digest.rpartition("@")[2] for digest in image.digests} | {image.digest, image.id}:
        raise InstallFailed(f"{name} came with another digest: {image.digest}", "do not trust this registry")
    if not (image.entrypoint or image.command):
        raise InstallFailed(f"{name} is no MCP server: it has no program", "it is a base image; look for another one")
    here = _MACHINES.get(platform.machine(), platform.machine())
    if image.architecture and image.architecture != here:
        raise InstallFailed(
            f"{name} is made for {image.architecture}, and this machine is {here}", "look for another image"
        )
    if image.size > most:
        raise InstallFailed(f"{name} takes {image.size >> 20} MB", "raise [install] max_unpacked_bytes")


def is_local(image: Image, name: str) -> bool:
    """Whether an image was made on this machine: no registry has it."""
    return name.startswith("localhost/") or all(digest.startswith("localhost/") for digest in image.digests)


def repository(name: str) -> str:
    """Return the name of an image without tag and digest."""
    bare = name.partition("@")[0]
    last = PurePosixPath(bare).name
    return bare.removesuffix(f":{last.partition(':')[2]}") if ":" in last else bare


def _digest(name: str, digests: tuple[str, ...]) -> str:
    wanted = name.rpartition("@")[2] if "@" in name else ""
    own = [each for each in digests if each.partition("@")[0].endswith(repository(name))]
    found = [each.rpartition("@")[2] for each in (*own, *digests)]
    return wanted if wanted in found else next(iter(found), "")


def _hashed(ident: str) -> str:
    return ident if ident.startswith("sha256:") else f"sha256:{ident}"
