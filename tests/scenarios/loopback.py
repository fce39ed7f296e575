"""Registries on loopback whose answers go wrong as they are told: Verdaccio for npm, an index of Python packages."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import socket
import subprocess
import tarfile
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from tests.npm import packages
from tests.scenarios.homes import FAULTY, Home

LONG_AGO: Final = "2024-01-02T03:04:05.000Z"
NAME: Final = "loopback-mcp"
SERVER: Final = """#!/usr/bin/env node
const lines = require("readline").createInterface({ input: process.stdin });
const tool = { name: "version", description: "The version of this package.", inputSchema: { type: "object" } };
const answers = {
  initialize: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "l", version: "1" } },
  ping: {},
  "tools/list": { tools: [tool] },
  "tools/call": { content: [{ type: "text", text: require("./package.json").version }] },
};
lines.on("line", (line) => {
  const { id, method } = JSON.parse(line);
  if (id === undefined) return;
  const result = answers[method];
  const rest = result ? { result } : { error: { code: -32601, message: "unknown method" } };
  process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id, ...rest }) + "\\n");
});
"""


@contextlib.contextmanager
def verdaccio(folder: Path) -> Iterator[str]:
    """Run a registry of npm packages; yield its address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    config = {
        "storage": str(folder / "storage"),
        "auth": {"htpasswd": {"file": str(folder / "htpasswd"), "max_users": -1}},
        "uplinks": {},
        "packages": {"@*/*": {"access": "$all", "publish": "$all"}, "**": {"access": "$all", "publish": "$all"}},
        "log": {"type": "stdout", "format": "json", "level": "error"},
    }
    (folder / "config.yaml").write_text(json.dumps(config))
    argv = [*packages.program("verdaccio", packages.REGISTRY), "--config", "config.yaml", "--listen", address]
    null = subprocess.DEVNULL
    with subprocess.Popen(argv, cwd=folder, stdin=null, stdout=null, stderr=null) as process:
        try:
            Home(folder).until(lambda: _answers(f"http://{address}/-/ping"), 60)
            yield f"http://{address}"
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError):
        return bool(urllib.request.urlopen(url, timeout=5).status == 200)
    return False


@dataclass
class Front:
    """What stands before both registries: ``faults`` maps the end of a path to what becomes of the answer.

    ``cut`` breaks the connection in the middle, ``short`` sends half of it and says that this is all, ``garble``
    changes a byte. ``dates`` maps a file or an npm version to when it was published (empty: nobody says).
    """

    npm: str
    address: str = ""
    faults: dict[str, str] = field(default_factory=dict)
    dates: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def environ(self, folder: Path) -> dict[str, str]:
        """Return what points npm and uv here, and their caches below ``folder``."""
        return {
            "npm_config_registry": f"{self.address}/",
            "npm_config_userconfig": os.devnull,
            "npm_config_cache": str(folder / "npm"),
            "UV_CACHE_DIR": str(folder / "uv"),
            "UV_NO_CONFIG": "1",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": f"{self.address}/simple/",
            "PIP_EXTRA_INDEX_URL": "",
            "PIP_FIND_LINKS": "",
        }

    def fault(self, path: str) -> str:
        """Return what becomes of an answer."""
        return next((fault for end, fault in self.faults.items() if path.endswith(end)), "")

    def answer(self, path: str, accept: str) -> tuple[str, bytes]:
        """Return the type and the body of an answer. Raises :class:`KeyError` for what is not there."""
        if path.startswith("/files/"):
            return "application/octet-stream", self.files[path.removeprefix("/files/")]
        if path.startswith(("/simple/", "/pypi/")):
            return self._project(path.removeprefix("/simple/").strip("/"))
        request = urllib.request.Request(self.npm + path, headers={"accept": accept})
        request.add_header("host", self.address.partition("//")[2])
        try:
            with urllib.request.urlopen(request, timeout=30) as found:
                return found.headers["content-type"], self._dated(found.read(), found.headers["content-type"])
        except urllib.error.HTTPError as error:
            raise KeyError(path) from error

    def _dated(self, body: bytes, kind: str) -> bytes:
        document = json.loads(body) if "json" in kind else {}
        if not isinstance(document, dict) or "time" not in document:
            return body
        times = {version: self.dates.get(version, LONG_AGO) for version in document["time"]}
        return json.dumps(document | {"time": times}).encode()

    def _project(self, name: str) -> tuple[str, bytes]:
        published = (".whl", ".tar.gz")
        found = [
            each for each in self.files if each.endswith(published) and each.startswith(name.replace("-", "_") + "-")
        ]
        if not found:
            raise KeyError(name)
        rows = [
            {
                "filename": each,
                "url": f"{self.address}/files/{each}",
                "hashes": {"sha256": hashlib.sha256(self.files[each]).hexdigest()},
                "size": len(self.files[each]),
                **self._metadata(f"{each}.metadata"),
                **({"upload-time": date} if (date := self.dates.get(each, LONG_AGO)) else {}),
            }
            for each in found
        ]
        document = {"meta": {"api-version": "1.1"}, "name": name, "files": rows}
        return "application/vnd.pypi.simple.v1+json", json.dumps(document).encode()

    def _metadata(self, file: str) -> dict[str, Any]:
        """Return where the metadata of a wheel can be had alone; a source has none."""
        return {"core-metadata": {"sha256": hashlib.sha256(self.files[file]).hexdigest()}} if file in self.files else {}

    def publish_source(self, name: str, version: str, files: dict[str, str], needs: tuple[str, ...] = ()) -> str:
        """Put a source distribution into the index; its metadata tells what it ``needs``. Return the file's name."""
        folder = f"{name.replace('-', '_')}-{version}"
        lines = [
            f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n",
            *(f"Requires-Dist: {e}\n" for e in needs),
        ]
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for path, text in {"PKG-INFO": "".join(lines), **files}.items():
                info = tarfile.TarInfo(f"{folder}/{path}")
                info.size = len(text.encode())
                tar.addfile(info, io.BytesIO(text.encode()))
        self.files[f"{folder}.tar.gz"] = buffer.getvalue()
        return f"{folder}.tar.gz"

    def publish_npm(self, version: str, archive: bytes | None = None) -> None:
        """Put a version of :data:`NAME` into Verdaccio; by default one that works."""
        archive = tarball(version) if archive is None else archive
        file = f"{NAME}-{version}.tgz"
        digest = base64.b64encode(hashlib.sha512(archive).digest()).decode()
        dist = {
            "integrity": f"sha512-{digest}",
            "shasum": hashlib.sha1(archive, usedforsecurity=False).hexdigest(),
            "tarball": f"{self.npm}/{NAME}/-/{file}",
        }
        attachment = {"content_type": "application/octet-stream", "length": len(archive)}
        document = {
            "_id": NAME,
            "name": NAME,
            "dist-tags": {"latest": version},
            "versions": {version: {**manifest(version), "_id": f"{NAME}@{version}", "dist": dist}},
            "_attachments": {file: attachment | {"data": base64.b64encode(archive).decode()}},
        }
        headers = {"content-type": "application/json", "authorization": "Bearer x"}
        body = json.dumps(document).encode()
        put = urllib.request.Request(f"{self.npm}/{NAME}", data=body, headers=headers, method="PUT")
        urllib.request.urlopen(put, timeout=30).close()

    def publish_pypi(self, version: str, more: dict[str, bytes] | None = None) -> str:
        """Put a version of :data:`NAME` into the index, with ``more`` files in its wheel; return the file's name."""
        module = NAME.replace("-", "_")
        inside = {f"{module}.py": FAULTY.read_bytes(), **(more or {})}
        return self.publish_wheel(NAME, version, inside, program=f"{module}:main")

    def publish_wheel(
        self,
        name: str,
        version: str,
        inside: dict[str, bytes],
        *,
        program: str = "",
        needs: tuple[str, ...] = (),
        extra: str = "",
    ) -> str:
        """Put a wheel into the index, perhaps with a ``program`` of its own name and an extra; return its file."""
        told = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        told += [f"Requires-Dist: {each}" for each in needs] + ([f"Provides-Extra: {extra}"] if extra else [])
        metadata, stem = "\n".join([*told, ""]).encode(), f"{name.replace('-', '_')}-{version}"
        info = f"{stem}.dist-info"
        files = {
            f"{info}/METADATA": metadata,
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            **({f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {program}\n".encode()} if program else {}),
            **inside,
        }
        rows = [f"{path},sha256={_record(data)},{len(data)}" for path, data in files.items()]
        files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]).encode()
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as wheel:
            for path, data in files.items():
                wheel.writestr(path, data)
        file = f"{stem}-py3-none-any.whl"
        self.files |= {file: buffer.getvalue(), f"{file}.metadata": metadata}
        return file


def _record(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def manifest(version: str) -> dict[str, Any]:
    """Return the package.json of :data:`NAME`."""
    return {"name": NAME, "version": version, "license": "MIT", "bin": {NAME: "server.js"}}


def tarball(version: str, more: dict[str, bytes] | None = None) -> bytes:
    """Return the archive of :data:`NAME` with ``more`` files, whatever they are called."""
    inside = {"package/package.json": json.dumps(manifest(version)).encode(), "package/server.js": SERVER.encode()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, data in (inside | (more or {})).items():
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(data), 0o755
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    front: Front

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        try:
            kind, body = self.front.answer(path, self.headers.get("accept", "*/*"))
        except KeyError:
            self.send_error(404)
            return
        fault = self.front.fault(path)
        if fault == "garble":
            body = body[:-20] + bytes([body[-20] ^ 1]) + body[-19:]
        if fault == "short":
            body = body[: len(body) // 2]
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)
        if fault == "cut":
            self.close_connection = True

    def log_message(self, *_words: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def front(npm: str) -> Iterator[Front]:
    """Stand before a registry of npm packages."""
    made = Front(npm)
    handler = type("Handler", (_Handler,), {"front": made})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        made.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join(60)
