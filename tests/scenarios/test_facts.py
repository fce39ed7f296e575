"""What is known about packages decides: signatures in a real registry, advisories in a dump, flows over the fleet."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import urllib.request
from pathlib import Path
from typing import Any, Final

import pytest
from tests.scenarios.homes import Done, Home
from tests.scenarios.test_sources import verdaccio  # noqa: F401 - a fixture
from tests.unit.vetting.advisories.osv import record
from tests.unit.vetting.signatures.signing import KEY, OTHER, b64, integrity_of, public, sign

pytestmark = pytest.mark.slow

SERVER: Final = """#!/usr/bin/env node
const tools = require("./package.json").tools.map((name) => ({ name, inputSchema: { type: "object" } }));
const answers = {
  initialize: () => ({
    protocolVersion: "2025-11-25",
    capabilities: { tools: {} },
    serverInfo: { name: "garden", version: "1.0.0" },
  }),
  ping: () => ({}),
  "tools/list": () => ({ tools }),
};
const unknown = { code: -32601, message: "Method not found" };
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  let message;
  try { message = JSON.parse(line); } catch { return; }
  if (message.id === undefined || message.method === undefined) return;
  const answer = answers[message.method];
  const rest = answer ? { result: answer() } : { error: unknown };
  process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id: message.id, ...rest }) + "\\n");
});
"""


def published(address: str, name: str, *tools: str) -> None:
    """Publish a package that is a server with these tools, as npm would (but in less time)."""
    manifest = {"name": name, "version": "1.0.0", "license": "MIT", "bin": {name: "server.js"}, "tools": tools}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for file, text in (("package.json", json.dumps(manifest)), ("server.js", SERVER)):
            entry = tarfile.TarInfo(f"package/{file}")
            entry.size, entry.mode = len(text), 0o755
            archive.addfile(entry, io.BytesIO(text.encode()))
    content, file = packed.getvalue(), f"{name}-1.0.0.tgz"
    dist = {"integrity": integrity_of(content), "shasum": hashlib.sha1(content).hexdigest()}  # noqa: S324 - npm's field
    dist["tarball"] = f"{address}/{name}/-/{file}"
    attached = {"content_type": "application/octet-stream", "data": b64(content), "length": len(content)}
    document = {"_id": name, "name": name, "dist-tags": {"latest": "1.0.0"}, "_attachments": {file: attached}}
    document["versions"] = {"1.0.0": {**manifest, "_id": f"{name}@1.0.0", "dist": dist}}
    headers = {"Content-Type": "application/json", "Authorization": "Bearer x"}
    request = urllib.request.Request(f"{address}/{name}", json.dumps(document).encode(), headers, method="PUT")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 201


def signed(tmp_path: Path, name: str, key: Any) -> None:
    """Have the registry say that a version was signed with a key."""
    file = tmp_path / "storage" / name / "package.json"
    packument = json.loads(file.read_text("utf-8"))
    dist = packument["versions"]["1.0.0"]["dist"]
    dist["signatures"] = [sign(name, "1.0.0", dist["integrity"], key)]
    file.write_text(json.dumps(packument))


def set_up(home: Home, address: str, settings: str) -> None:
    home.path.mkdir(exist_ok=True)
    settings = f"[install]\nmin_release_age_days = 0\n{settings}"  # what is published here is a moment old
    (home.path / "vsm-mcp.toml").write_text(settings)
    home.environ |= {"npm_config_registry": f"{address}/", "npm_config_cache": str(home.path / "npm-cache")}


def said(home: Home, done: Done, check: str) -> dict[str, Any]:
    """Return what a check answered, from the evidence."""
    records = home.run("evidence", done.document["evidence"]).document["records"]
    (results,) = [each["body"] for each in records if each["kind"] == "vetted"]
    (result,) = [each for each in results if each["check"] == check]
    assert isinstance(result, dict)
    return result


def test_a_signature_counts_if_its_key_is_trusted_and_holds(
    home: Home,
    verdaccio: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [public()]}))
    set_up(home, verdaccio, f"[vetting]\nyoung_days = 0\n[vetting.signatures]\nkeys = ['{tmp_path}/keys.json']\n")
    published(verdaccio, "rain-mcp", "forecast")

    signed(tmp_path, "rain-mcp", OTHER)
    packument = tmp_path / "storage/rain-mcp/package.json"
    packument.write_text(packument.read_text().replace(public(OTHER)["keyid"], public()["keyid"]))
    done = home.run("add", "npm:rain-mcp", "--yes")
    assert (done.code, done.document["outcome"]) == (3, "rejected"), done
    assert "signatures.invalid (block)" in done.document["reason"]["message"]
    assert (home.left(), home.run("list").document["servers"]) == ([], [])

    signed(tmp_path, "rain-mcp", KEY)
    done = home.run("add", "npm:rain-mcp", "--yes")
    assert done.document["outcome"] == "served", done
    assert (said(home, done, "signatures")["status"], said(home, done, "dependencies")["status"]) == ("pass", "pass")


def test_advisories_reject_and_tell_of_what_is_served_already_and_servers_are_judged_together(
    home: Home,
    verdaccio: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    dump = tmp_path / "osv"
    dump.mkdir()
    (dump / "other.json").write_text(json.dumps(record("MAL-1", "other-mcp", {"introduced": "0"})))
    set_up(home, verdaccio, f"[vetting]\nyoung_days = 0\n[vetting.advisories]\napi = ''\ndump = '{dump}'\n")
    published(verdaccio, "garden-files-mcp", "read_file")
    published(verdaccio, "garden-web-mcp", "fetch_page")
    (tmp_path / "papers").mkdir()

    files = home.run(
        "add", "npm:garden-files-mcp", "--yes", "--name", "files", "--allow-path", str(tmp_path / "papers")
    )
    assert files.document["outcome"] == "served", files
    assert said(home, files, "advisories")["status"] == "pass"
    assert home.run("status").document["flows"] == []
    web = home.run("add", "npm:garden-web-mcp", "--yes", "--name", "web", "--allow-host", "127.0.0.1:9")
    assert web.document["outcome"] == "served", web
    (together,) = home.run("status").document["flows"]
    assert (together["private"], together["untrusted"]) == ({"files": ["read_file"]}, {"web": ["fetch_page"]})
    assert list(together["way_out"]) == ["web"]

    severe = record(
        "GHSA-1", "garden-files-mcp", {"introduced": "0"}, {"fixed": "2.0.0"}, database_specific={"severity": "HIGH"}
    )
    (dump / "new.json").write_text(json.dumps(severe))
    checks = {row["name"]: row for row in home.run("doctor").document["checks"]}
    assert "web: fetch_page" in checks["flows"]["detail"]
    assert re.match(r"files has findings that are new: advisories.severe \(block\)", checks["vetting"]["detail"])
    again = home.run("add", "npm:garden-files-mcp", "--yes", "--name", "more")
    assert (again.code, again.document["outcome"]) == (3, "rejected"), again
    assert "GHSA-1 (high; mended in 2.0.0)" in again.document["reason"]["message"]
