"""Read which tools the packages of the index declare, for ``build_index.py`` and ``build_vectors.py``.

    python -m tools.read_tools NPM.tsv PYPI.tsv OUT.jsonl

The newest archive of each package is fetched from the registries of this machine, and read; nothing of it is run. A
line for each package: ``[kind, name, version, [[tool, description], …]]``. A package that OUT has a line of is not
fetched again, so that a run that was broken off goes on. A thousand packages take about a minute of two cores.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from typing import Final, TextIO

from tools.build_index import chosen
from tools.declared_tools import declared, kept

from vsm_mcp.discovery.index_file import IndexRow
from vsm_mcp.errors import VsmError
from vsm_mcp.model.ref import RefKind
from vsm_mcp.registries.addresses import read_addresses
from vsm_mcp.registries.client import Registries

AT_ONCE: Final = 16
_SOURCES: Final = (".py", ".js", ".mjs", ".cjs", ".ts")
_MOST_PACKED, _MOST_FILE, _MOST_READ = 16_000_000, 3_000_000, 20_000_000


async def archive(registries: Registries, row: IndexRow) -> tuple[str, bytes] | None:
    """Return the newest archive of a package as (file name, content), a wheel before sources; ``None`` if too large."""
    if row.kind is RefKind.NPM:
        packument = await registries.npm_package(row.name)
        version = packument["dist-tags"]["latest"]
        name, url = f"{version}.tgz", packument["versions"][version]["dist"]["tarball"]
    else:
        files = (await registries.pypi_project(row.name))["urls"]
        if not files:
            return None
        first = min(files, key=lambda file: (file["packagetype"] != "bdist_wheel", file["filename"]))
        name, url = first["filename"], first["url"]
    content = bytearray()
    async with registries.open(url) as pieces:
        async for piece in pieces:
            content += piece
            if len(content) > _MOST_PACKED:
                return None
    return name, bytes(content)


def tools_in(name: str, content: bytes) -> list[tuple[str, str]]:
    """Return what the sources of an archive declare; nothing for one that cannot be read."""
    files: dict[str, bytes] = {}
    read = 0
    try:
        for path, source in _members(name, content):
            files[path] = source
            read += len(source)
            if read > _MOST_READ:
                break
    except (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile, tarfile.TarError):
        return []
    return [(tool.name, tool.description) for tool in declared(files)]


def _members(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    if name.endswith((".whl", ".zip")):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            for entry in packed.infolist():
                if entry.filename.endswith(_SOURCES) and entry.file_size <= _MOST_FILE:
                    yield entry.filename, packed.read(entry)
        return
    with tarfile.open(fileobj=io.BytesIO(content)) as packed_tar:
        for member in packed_tar:
            if member.isfile() and member.name.endswith(_SOURCES) and member.size <= _MOST_FILE:
                source = packed_tar.extractfile(member)
                yield member.name, source.read() if source else b""


async def read(registries: Registries, rows: Iterator[IndexRow], readers: Executor, lines: TextIO) -> None:
    """Write a line for each of ``rows``; several of these share them."""
    for row in rows:
        tools: Sequence[tuple[str, str]] = ()
        try:
            if got := await archive(registries, row):
                tools = await asyncio.get_running_loop().run_in_executor(readers, tools_in, *got)
        except (VsmError, KeyError) as error:
            print(f"{row.kind.value}:{row.name}: {error}")
            continue
        print(json.dumps([row.kind.value, row.name, row.version, tools], ensure_ascii=False), file=lines, flush=True)


async def read_all(rows: Iterable[IndexRow], lines: TextIO) -> None:
    """Write a line for each of ``rows``, as they come."""
    left = iter(rows)
    with ProcessPoolExecutor(os.cpu_count()) as readers:
        async with Registries(await read_addresses(os.environ)) as registries:
            await asyncio.gather(*(read(registries, left, readers, lines) for _ in range(AT_ONCE)))


def main(npm: str, pypi: str, out: str) -> None:
    """Read what OUT does not have yet."""
    had = kept(Path(out)) if Path(out).exists() else {}
    rows = [row for row in chosen(Path(npm), Path(pypi)) if (row.kind.value, row.name) not in had]
    with Path(out).open("a", encoding="utf-8") as lines:
        asyncio.run(read_all(rows, lines))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
