"""A registry of npm packages on loopback that signs with a key of its own, and an index with provenance."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.unit.discovery.network.hosts import Host

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
NOW = "2029-01-01T00:00:00.000Z"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def public(key: ec.EllipticCurvePrivateKey = KEY, **more: Any) -> dict[str, Any]:
    """Return a key as npm's keys endpoint shows it."""
    kind, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    der = key.public_key().public_bytes(kind, form)
    keyid = f"SHA256:{b64(hashlib.sha256(der).digest()).rstrip('=')}"
    row = {"expires": None, "keyid": keyid, "keytype": "ecdsa-sha2-nistp256", "scheme": "ecdsa-sha2-nistp256"}
    return {**row, "key": b64(der), **more}


def sign(name: str, version: str, integrity: str, key: ec.EllipticCurvePrivateKey = KEY) -> dict[str, str]:
    """Return a signature as a packument holds it."""
    signature = key.sign(f"{name}@{version}:{integrity}".encode(), ec.ECDSA(hashes.SHA256()))
    return {"keyid": public(key)["keyid"], "sig": b64(signature)}


def integrity_of(content: bytes) -> str:
    return f"sha512-{b64(hashlib.sha512(content).digest())}"


def digest_of(content: bytes, algorithm: str = "sha512") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def version(name: str, number: str, **more: Any) -> dict[str, Any]:
    """Return a signed version of a packument, of the file ``NAME NUMBER``."""
    integrity = integrity_of(f"{name} {number}".encode())
    dist = {"integrity": integrity, "signatures": [sign(name, number, integrity)], **more.pop("dist", {})}
    return {"name": name, "version": number, "dist": dist, **more}


def packument(name: str, *versions: Mapping[str, Any], published: str = NOW) -> dict[str, Any]:
    """Return a packument of versions, all published at one time."""
    numbers = [each["version"] for each in versions]
    times = dict.fromkeys(numbers, published)
    latest = {"latest": numbers[-1]}
    return {"name": name, "dist-tags": latest, "versions": dict(zip(numbers, versions, strict=True)), "time": times}


@dataclass
class Vouching:
    """What a registry and an index say: a handler for :func:`tests.unit.discovery.network.hosts.serving`."""

    packuments: dict[str, Any] = field(default_factory=dict)
    keys: Any = None
    attestations: dict[str, Any] = field(default_factory=dict)
    projects: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    async def __call__(self, _host: Host, request: web.BaseRequest) -> web.StreamResponse:
        found: Any = None
        path = request.path
        if path == "/-/npm/v1/keys":
            found = None if self.keys is None else {"keys": self.keys}
        elif path.startswith("/-/npm/v1/attestations/"):
            found = self.attestations.get(path.removeprefix("/-/npm/v1/attestations/"))
        elif path.startswith("/integrity/"):
            found = self.provenance.get(path.split("/")[-2])
            if found is None:
                return web.json_response({"message": "No provenance available"}, status=404)
        elif path.startswith("/pypi/"):
            found = self.projects.get(path.split("/")[2])
        else:
            found = self.packuments.get(path.removeprefix("/"))
        if found is None:
            return web.Response(status=404, text="not here")
        return web.Response(body=json.dumps(found).encode(), content_type="application/json")


def day(offset: int) -> str:
    """Return the time so many days from now."""
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=offset)).isoformat()
