"""The bill of materials is valid CycloneDX 1.6, by the official schema, and says what is there."""

from __future__ import annotations

import base64
import json
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from vsm_mcp.install.lockfile import Lock, LockedServer
from vsm_mcp.install.sbom import cyclonedx

DIGEST = bytes(range(64))
NPM = LockedServer(
    ref="npm:@scope/server@1.2.3",
    version="1.2.3",
    integrity=f"sha512:{DIGEST.hex()}",
    tree={
        "packages": {
            "": {},
            "node_modules/@scope/server": {"version": "1.2.3"},
            "node_modules/a": {"version": "1.0.0", "integrity": f"sha512-{base64.b64encode(DIGEST).decode()}"},
            "node_modules/a/node_modules/a": {"version": "2.0.0", "integrity": "sha512-not/base64!", "license": "mit"},
            "node_modules/alias": {"name": "real", "version": "3.0.0", "license": "(MIT OR Apache-2.0)"},
            "node_modules/own": {"name": "own", "version": "3.0.0", "license": "SEE LICENSE IN LICENSE.md"},
            "node_modules/old": {"name": "old", "version": "3.0.0", "license": {"type": "MIT"}},
        }
    },
    licences={"": "MIT"},
)
PYTHON = LockedServer(
    ref="pypi:Some_Server==1.0+local",
    version="1.0+local",
    integrity="sha256:" + "ab" * 32,
    licences={"": "LicenseRef-Own", "lib": "BSD-3-Clause"},
    tree=["some-server==1.0+local \\", f"    --hash=sha256:{'ab' * 32}", "lib==2 \\", f"    --hash=sha256:{'cd' * 32}"],
)
REMOTE = LockedServer(ref="https://mcp.example/mcp", version="remote")
COMMAND = LockedServer(ref="cmd:python3 -m x", version="0123456789ab", integrity="sha256:" + "ef" * 32)


@pytest.fixture(scope="module")
def validator() -> Draft7Validator:
    folder = files("cyclonedx.schema") / "_res"

    def schema(name: str) -> Any:
        return json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text("utf-8"))

    names = {"spdx": "spdx", "jsf-0.82": "jsf-0.82", "cryptography-defs": "cryptography-defs"}
    resources = [
        (f"http://cyclonedx.org/schema/{kind}.schema.json", Resource.from_contents(schema(name), DRAFT7))
        for kind, name in names.items()
    ]
    resources += [(uri.replace(".schema", ".SNAPSHOT.schema"), each) for uri, each in resources]
    registry: Registry[Any] = Registry().with_resources(resources)
    return Draft7Validator(schema("bom-1.6"), registry=registry)


@pytest.mark.parametrize(
    "servers",
    [{}, {"npm": NPM}, {"python": PYTHON}, {"remote": REMOTE}, {"a": NPM, "b": NPM, "c": PYTHON, "d": COMMAND}],
)
def test_it_is_valid(validator: Draft7Validator, servers: dict[str, LockedServer]) -> None:
    document = cyclonedx(Lock(servers=servers))
    assert [error.message for error in validator.iter_errors(document)] == []
    assert json.dumps(document) == json.dumps(cyclonedx(Lock(servers=servers)))
    refs = [each["bom-ref"] for server in document["components"] for each in (server, *server.get("components", ()))]
    assert len(set(refs)) == len(refs)


def test_the_schema_would_see_a_mistake(validator: Draft7Validator) -> None:
    document = cyclonedx(Lock(servers={"npm": NPM}))
    document["components"][0]["hashes"][0]["alg"] = "sha512"
    assert list(validator.iter_errors(document))


def test_each_package_is_in_it_with_its_hash() -> None:
    npm, python = cyclonedx(Lock(servers={"npm": NPM, "python": PYTHON}))["components"]
    assert npm["purl"] == "pkg:npm/%40scope/server@1.2.3"
    assert npm["hashes"] == [{"alg": "SHA-512", "content": DIGEST.hex()}]
    assert [each["purl"] for each in npm["components"]][:3] == [
        "pkg:npm/a@1.0.0",
        "pkg:npm/a@2.0.0",
        "pkg:npm/real@3.0.0",
    ]
    assert [("hashes" in each) for each in npm["components"]][:3] == [True, False, False]
    (lib,) = [each for each in python["components"] if each["name"] == "lib"]
    assert lib["purl"] == "pkg:pypi/lib@2"
    assert lib["hashes"] == [{"alg": "SHA-256", "content": "cd" * 32}]


def test_the_licence_of_each_is_in_it_where_it_is_known() -> None:
    npm, python = cyclonedx(Lock(servers={"npm": NPM, "python": PYTHON}))["components"]
    assert npm["licenses"] == [{"license": {"id": "MIT"}}]
    assert {each["bom-ref"].rsplit("/", 1)[-1]: each.get("licenses") for each in npm["components"][1:]} == {
        "a": [{"license": {"id": "MIT"}}],
        "alias": [{"expression": "(MIT OR Apache-2.0)"}],
        "own": [{"license": {"name": "SEE LICENSE IN LICENSE.md"}}],
        "old": None,
    }
    assert "licenses" not in npm["components"][0]
    assert python["licenses"] == [{"expression": "LicenseRef-Own"}]
    assert [each["licenses"] for each in python["components"]] == [[{"license": {"id": "BSD-3-Clause"}}]]


def test_what_packaging_knows_as_a_licence_is_one_in_the_bill(validator: Draft7Validator) -> None:
    from packaging.licenses._spdx import LICENSES

    said = [str(each["id"]) for each in LICENSES.values()]
    entry = {
        name: {"version": "1", "license": text} for name, text in ((f"node_modules/{text}", text) for text in said)
    }
    document = cyclonedx(Lock(servers={"npm": LockedServer(ref="npm:a@1", version="1", tree={"packages": entry})}))
    assert [error.message[:200] for error in validator.iter_errors(document)] == []
