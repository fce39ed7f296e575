"""Container images (``oci:IMAGE[:TAG][@sha256:…]``), and folders with a Containerfile (``oci:/PATH``).

The engine of this machine fetches and keeps the images; none of an image runs before its trial. A tag is looked up
once: what it stood for then is what is run from then on, by the digest of its bytes.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import msgspec

from vsm_mcp.errors import BadReference, InstallFailed
from vsm_mcp.install import used_engines
from vsm_mcp.install.container_errors import explain
from vsm_mcp.install.files import home_errors
from vsm_mcp.install.image import Image, check_image, is_local, read_image, repository
from vsm_mcp.install.installer import Bench, Built, Fetched, Options, Resolved
from vsm_mcp.model.launch import Entry
from vsm_mcp.model.ref import Ref, RefKind
from vsm_mcp.sandbox.confinement import MEBIBYTE, Completed
from vsm_mcp.sandbox.engine import Engine, engine_environ, find_engine, is_podman

_SHORT: Final = 12
_FILES: Final = ("Containerfile", "Dockerfile")
_MAX_OUTPUT: Final = 16 * MEBIBYTE


def _file_of(folder: str) -> Path | None:
    return next((Path(folder, name) for name in _FILES if Path(folder, name).is_file()), None)


class ContainerInstaller:
    """Takes images into the catalogue. Their bytes stay with the engine; the installation notes which ones."""

    kind: Final = RefKind.OCI

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._environ = engine_environ(bench.config.environ)

    async def resolve(self, ref: Ref, options: Options) -> Resolved:
        """Have the engine fetch the image, or build it; return its digest.

        Raises :class:`SandboxUnavailable` where no engine works, and what an installer raises.
        """
        engine = await find_engine(self._bench.config.environ, self._bench.config.install.container_engine)
        if ref.name.startswith("/"):
            image = await self._made(engine, ref.name, options)
        else:
            image = await self._found(engine, ref.name)
        check_image(image, ref.name, self._bench.config.install.max_unpacked_bytes)
        return Resolved(
            ref=ref,
            version=image.digest.removeprefix("sha256:")[:_SHORT],
            lock=msgspec.json.encode(image).decode(),
            packages={repository(ref.name): image.digest},
            interpreter=" ".join(engine.command),
        )

    async def fetch(self, resolved: Resolved, into: Path) -> Fetched:
        """Fetch nothing more; what the image says about itself is its manifest."""
        image = msgspec.json.decode(resolved.lock, type=Image)
        told = {name: getattr(image, name) for name in ("entrypoint", "command", "user", "labels", "layers", "size")}
        return Fetched(manifest={"name": resolved.ref.name, **told}, archive_sha=image.digest)

    async def build(self, resolved: Resolved, fetched: Fetched, into: Path, options: Options) -> Built:
        """Write down which image it is, and return how it is run: by the digest of its bytes, not by its tag."""
        image, engine = msgspec.json.decode(resolved.lock, type=Image), tuple(resolved.interpreter.split(" "))
        await asyncio.to_thread(used_engines.remember, self._bench.config.home, engine)
        with home_errors(into):
            (into / "image.json").write_text(resolved.lock, "utf-8")
        entry = Entry(argv=(*engine, "run", image.id.removeprefix("sha256:")), runtime="container")
        return Built(entry=entry, packages=resolved.packages, integrity=image.digest)

    async def _found(self, engine: Engine, name: str) -> Image:
        here = await self._inspected(engine, name)
        if here is not None and (is_local(here, name) or "@sha256:" in name):
            return here
        done = await self._run((*engine.command, "pull", "--quiet", name))
        if not done.ok:
            raise explain(name, done, self._bench.config.home)
        fetched = await self._inspected(engine, name)
        if fetched is None:
            raise InstallFailed(f"{name} is not there after it was fetched", "try again")
        return fetched

    async def _made(self, engine: Engine, folder: str, options: Options) -> Image:
        """Build the image of a folder. What its file runs has no network, and is confined by the engine alone."""
        file = await asyncio.to_thread(_file_of, folder)
        if file is None:
            raise BadReference(f"there is no Containerfile in {folder}", "write oci:IMAGE, or the folder that has one")
        if not options.allow_scripts:
            raise InstallFailed(
                f"building {file} would run what stands in it",
                "--allow-scripts lets it: in a container, without network",
            )
        limits = self._bench.config.sandbox
        bounds: tuple[str, ...] = (f"--memory={limits.build_memory_bytes}",)
        if is_podman(engine.command):
            runtime = (f"--runtime={engine.runtime}",) if engine.runtime else ()
            bounds += ("--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096", *runtime)
        argv = (engine.program, "build", "--quiet", "--network=none", *bounds, f"--file={file}", folder)
        done = await self._run(argv)
        ident = done.stdout.decode("utf-8", "replace").strip().rpartition("\n")[2]
        image = await self._inspected(engine, ident) if done.ok and ident else None
        if image is None:
            raise explain(folder, done, self._bench.config.home)
        return image

    async def _inspected(self, engine: Engine, name: str) -> Image | None:
        done = await self._run((*engine.command, "image", "inspect", name))
        return read_image(done.stdout, name) if done.ok else None

    async def _run(self, argv: tuple[str, ...]) -> Completed:
        seconds = self._bench.config.install.build_timeout_seconds
        return await self._bench.run_tool(argv, env=self._environ, cwd="/", timeout=seconds, max_output=_MAX_OUTPUT)
