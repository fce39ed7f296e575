"""A registry of container images on loopback, and images made here: a static busybox and a server in its shell.

OCI image and distribution specifications, as far as pulling goes.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import platform
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

SOURCE: Final = Path(__file__).parent / "image"
BUSYBOX: Final = next((path for path in (Path("/bin/busybox"), Path("/usr/bin/busybox")) if path.is_file()), None)
_MACHINE: Final = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"


def digest_of(data: bytes) -> str:
    """Return what a registry calls these bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass
class Images:
    """What the registry has: ``manifests`` by tag and by digest, ``blobs`` by digest; ``faults`` by digest.

    ``cut`` breaks the connection in the middle of a blob, ``garble`` changes a byte of it.
    """

    address: str = ""
    manifests: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)

    def push(self, tag: str, *, mark: str = "", fault: str = "", program: bool = True) -> str:
        """Make an image and tag it; return the digest of its manifest. ``mark`` makes it another one."""
        assert BUSYBOX is not None
        files = {"bin/busybox": BUSYBOX.read_bytes(), "server.sh": (SOURCE / "server.sh").read_bytes()}
        layer = _tar({**files, "mark": mark.encode()})
        packed = gzip.compress(layer, 1, mtime=0)
        config: dict[str, Any] = {"Env": [f"GREETING={mark or 'hello'}"]}
        config |= {"Entrypoint": ["/bin/busybox", "sh", "/server.sh"]} if program else {}
        document = {
            "architecture": _MACHINE,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]},
        }
        described = json.dumps(document).encode()
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": _entry("application/vnd.oci.image.config.v1+json", described),
                "layers": [_entry("application/vnd.oci.image.layer.v1.tar+gzip", packed)],
            }
        ).encode()
        self.blobs |= {digest_of(packed): packed, digest_of(described): described}
        self.manifests |= {tag: manifest, digest_of(manifest): manifest}
        if fault:
            self.faults[digest_of(packed)] = fault
        return digest_of(manifest)


def _entry(kind: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "size": len(data), "digest": digest_of(data)}


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in ("bin", "tmp", "proc", "sys", "dev", "etc", "granted"):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(data), 0o755
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    images: Images

    def do_GET(self) -> None:
        *_, kind, reference = self.path.rsplit("/", 2)
        body, content = b"{}", "application/json"
        fault, status = "", 200
        if kind == "manifests":
            body, content = self.images.manifests.get(reference, b""), _MANIFEST
        elif kind == "blobs":
            body, content = self.images.blobs.get(reference, b""), "application/octet-stream"
            fault = self.images.faults.get(reference, "")
        if not body:
            body = json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}).encode()
            content, status = "application/json", 404
        self.send_response(status)
        self.send_header("content-type", content)
        self.send_header("content-length", str(len(body)))
        if kind == "manifests" and status == 200:
            self.send_header("docker-content-digest", digest_of(body))
        self.end_headers()
        if self.command == "HEAD":
            return
        with contextlib.suppress(OSError):
            middle = len(body) // 2
            garbled = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
            self.wfile.write(body[:middle] if fault == "cut" else garbled if fault == "garble" else body)
        self.close_connection = self.close_connection or fault == "cut"

    do_HEAD = do_GET  # noqa: N815 - the name is the library's

    def log_message(self, *_words: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def registry() -> Iterator[Images]:
    """Run a registry; its address is ``HOST:PORT``."""
    images = Images()
    handler = type("Handler", (_Handler,), {"images": images})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        images.address = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield images
        finally:
            server.shutdown()
            thread.join(60)
