"""Whether a bundle is made for this machine: platform, processor, versions of node and Python."""

from __future__ import annotations

import platform
import re
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.bundle.manifest import Manifest
from vsm_mcp.install.interpreter import Interpreter
from vsm_mcp.model.node_range import node_fits

_COMPILED: Final = re.compile(r"\.cpython-3(\d+)[a-z]*-([a-z0-9_-]+)\.(?:so|pyd)\Z|\.cp3(\d+)-(win)[a-z0-9_]*\.pyd\Z")
# ELF: e_machine of the processors that names of `platform.machine()` stand for.
_MACHINES: Final = {"x86_64": 62, "amd64": 62, "aarch64": 183, "arm64": 183, "riscv64": 243}
_MACHO: Final = (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe")


def check_platform(manifest: Manifest, here: str) -> None:
    """Refuse a bundle that is not made for ``here``, a name of ``sys.platform``. Raises :class:`InstallFailed`."""
    made_for = manifest.compatibility.platforms
    if made_for and here not in made_for:
        raise InstallFailed(
            f"the bundle {manifest.name} is made for {', '.join(made_for)}, and this machine is {here}",
            "look for a bundle or a package for this system",
        )


def check_node(manifest: Manifest, version: str) -> None:
    """Refuse a bundle that needs another node. Raises :class:`InstallFailed`."""
    wanted = manifest.compatibility.runtimes.get("node", "")
    if wanted and node_fits(version, wanted) is False:
        raise InstallFailed(
            f"the bundle {manifest.name} needs node {wanted}, and this machine has {version}", f"install node {wanted}"
        )


def wanted_minors(manifest: Manifest, names: Iterable[str], here: str) -> frozenset[int]:
    """Return the minor versions of Python that its compiled modules are for; none where it has none.

    Raises :class:`InstallFailed` where they are for another system only.
    """
    found = [match for name in names if (match := _COMPILED.search(name))]
    if not found:
        return frozenset()
    systems = {match[2] or match[4] for match in found}
    fitting = [match for match in found if here in (match[2] or match[4] or "")]
    if not fitting:
        raise InstallFailed(
            f"the bundle {manifest.name} holds modules compiled for {', '.join(sorted(systems))}, and this is {here}",
            "look for a bundle for this system",
        )
    return frozenset(int(match[1]) for match in fitting if match[1])


def python_fits(manifest: Manifest, python: Interpreter, minors: frozenset[int]) -> bool:
    """Whether a Python can run the bundle."""
    wanted = manifest.compatibility.runtimes.get("python", "")
    return python.fits(wanted) and (not minors or python.minor in minors)


def no_python(manifest: Manifest, minors: frozenset[int], tried: Iterable[str]) -> InstallFailed:
    """Return the refusal where no Python fits."""
    said = manifest.compatibility.runtimes.get("python", "") or "of any version"
    compiled = f" (its modules are compiled for 3.{', 3.'.join(map(str, sorted(minors)))})" if minors else ""
    return InstallFailed(
        f"the bundle {manifest.name} needs Python {said}{compiled}, and this machine has {', '.join(tried)}",
        "install such a Python (for example with pyenv or `uv python install`)",
    )


def check_program(manifest: Manifest, path: Path) -> None:
    """Refuse a program in machine code for another system or processor. Raises :class:`InstallFailed`."""
    with path.open("rb") as file:
        head = file.read(20)
    if head.startswith(b"MZ") or head[:4] in _MACHO:
        system = "Windows" if head.startswith(b"MZ") else "macOS"
        raise InstallFailed(f"the program of {manifest.name} is made for {system}", "look for a bundle for this system")
    if not head.startswith(b"\x7fELF") or len(head) < 20:
        return
    order = "<" if head[5] == 1 else ">"
    machine = struct.unpack_from(f"{order}H", head, 18)[0]
    if _MACHINES.get(platform.machine().lower(), machine) != machine:
        raise InstallFailed(
            f"the program of {manifest.name} is made for another processor than {platform.machine()}",
            "look for a bundle for this processor",
        )
