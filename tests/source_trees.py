"""Small servers as source: folders, repositories behind a real git server, bundles; what runs leaves a canary."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vsm_mcp.registries.addresses import Addresses, read_addresses

PYTHON_SERVER = """
import json, os, sys
TOOL = {"name": "told", "description": "Says what it was told.", "inputSchema": {"type": "object"}}
def main():
    for line in sys.stdin:
        asked = json.loads(line)
        if "id" not in asked:
            continue
        answer, method = {"jsonrpc": "2.0", "id": asked["id"]}, asked["method"]
        if method == "initialize":
            known = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}}
            answer["result"] = {**known, "serverInfo": {"name": "told", "version": "1"}}
        elif method == "tools/list":
            answer["result"] = {"tools": [TOOL]}
        elif method == "tools/call":
            names = [name for name in os.environ if name.startswith("TOLD")]
            text = json.dumps([sys.argv[1:], {name: os.environ[name] for name in sorted(names)}])
            answer["result"] = {"content": [{"type": "text", "text": text}]}
        elif method == "ping":
            answer["result"] = {}
        else:
            answer["error"] = {"code": -32601, "message": "Method not found"}
        print(json.dumps(answer), flush=True)
"""
NODE_SERVER = """#!/usr/bin/env node
const say = (m) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...m }) + '\\n');
const tool = { name: 'told', description: 'Says what it was told.', inputSchema: { type: 'object' } };
require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method } = JSON.parse(line);
  if (id === undefined) return;
  const known = { protocolVersion: '2025-06-18', capabilities: { tools: {} } };
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('TOLD')).sort());
  if (method === 'initialize') say({ id, result: { ...known, serverInfo: { name: 'told', version: '1' } } });
  else if (method === 'tools/list') say({ id, result: { tools: [tool] } });
  else if (method === 'tools/call')
    say({ id, result: { content: [{ type: 'text', text: JSON.stringify([process.argv.slice(2), env]) }] } });
  else if (method === 'ping') say({ id, result: {} });
  else say({ id, error: { code: -32601, message: 'Method not found' } });
});
"""
PYPROJECT = """
[project]
name = "told-mcp"
version = "0.3.0"
requires-python = ">=3.11"
license = "MIT"
[project.scripts]
told-mcp = "told_mcp.server:main"
"""
BACKEND = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'


_ADDRESSES: dict[str, Addresses] = {}


async def addresses_of(environ: Mapping[str, str]) -> Addresses:
    """Return the registries of this machine, asked once for each home of a person."""
    home = environ.get("HOME", "")
    if home not in _ADDRESSES:
        _ADDRESSES[home] = await read_addresses(environ)
    return _ADDRESSES[home]


def python_files(canary: Path | None = None) -> dict[str, str]:
    """Return a Python project; what would run at install time writes to ``canary``."""
    files = {"pyproject.toml": PYPROJECT + BACKEND, "src/told_mcp/server.py": PYTHON_SERVER}
    files["src/told_mcp/__init__.py"] = ""
    if canary is not None:
        files["setup.py"] = f"open({str(canary)!r}, 'w').write('setup.py')\n"
    return files


def node_files(canary: Path | None = None, **manifest: Any) -> dict[str, str]:
    """Return a project of npm's; its install scripts write to ``canary``."""
    scripts = {}
    if canary is not None:
        scripts = {name: f"echo {name} > {canary}" for name in ("preinstall", "install", "postinstall", "prepare")}
    document = {"name": "told-mcp", "version": "1.2.0", "license": "MIT", "bin": "server.js", "scripts": scripts}
    return {"package.json": json.dumps({**document, **manifest}), "server.js": NODE_SERVER}


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files below a folder and return it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def git(folder: Path, *words: str) -> str:
    """Run git in a repository, as somebody with no settings."""
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": "/dev/null"}
    person = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *person, *words], cwd=folder, env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def repository(folder: Path, files: Mapping[str, str]) -> str:
    """Make a bare repository ``folder`` with one commit, tagged v1, and return the commit."""
    work = write(folder.with_name(f"{folder.name}.work"), files)
    git(work, "init", "--quiet")
    return commit(folder, work, "v1")


def commit(folder: Path, work: Path, tag: str) -> str:
    """Commit all there is in ``work``, with a tag, and publish it as the bare repository ``folder``."""
    git(work, "add", "--force", ".")
    git(work, "commit", "--quiet", "--message", tag)
    git(work, "tag", "--annotate", "--message", tag, tag)
    shutil.rmtree(folder, ignore_errors=True)
    git(work, "clone", "--quiet", "--bare", ".", str(folder))
    return git(work, "rev-parse", "HEAD")


class _Backend(http.server.BaseHTTPRequestHandler):
    root: Path
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _answer(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        env = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.root), "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command, "GIT_CONFIG_GLOBAL": "/dev/null",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "REMOTE_ADDR": "127.0.0.1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }  # fmt: skip
        done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        lines = [line.decode().partition(": ") for line in head.split(b"\r\n")]
        status = next((value for name, _, value in lines if name == "Status"), "200 OK")
        self.send_response(int(status.split()[0]))
        for name, _, value in lines:
            if name and name != "Status":
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def served(root: Path) -> Iterator[str]:
    """Serve the repositories below ``root`` with git's own program; lend the address."""
    handler = type("Backend", (_Backend,), {"root": root})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def files_served(folder: Path) -> Iterator[str]:
    """Serve the files in a folder; lend the address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *words: Any, **named: Any) -> None:
            super().__init__(*words, directory=str(folder), **named)

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def manifest(kind: str, entry: str, command: Mapping[str, Any] | None, **more: Any) -> dict[str, Any]:
    """Return the manifest of a bundle."""
    server = {"type": kind, "entry_point": entry} | ({"mcp_config": command} if command is not None else {})
    plain = {"manifest_version": "0.4", "name": "told", "version": "1.4.0", "description": "d", "author": {"name": "A"}}
    return {**plain, "server": server, **more}


def bundle(path: Path, document: Mapping[str, Any], files: Mapping[str, str]) -> Path:
    """Make a bundle."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", json.dumps(document))
        for name, text in files.items():
            archive.writestr(name, text)
    return path
