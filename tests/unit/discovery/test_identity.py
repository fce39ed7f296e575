from __future__ import annotations

import pytest

from vsm_mcp.discovery.identity import keys, repository_key
from vsm_mcp.discovery.merge import merge
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.ref import parse_ref

AIRTABLE = "https://github.com/domdomegg/airtable-mcp-server"
MONOREPO = "https://github.com/modelcontextprotocol/servers"


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/Owner/Name",
        "https://github.com/owner/name/",
        "http://www.github.com/owner/name.git",
        "git+https://github.com/owner/name.git",
        "git://github.com/owner/name.git",
        "git+ssh://git@github.com/owner/name.git",
        "git@github.com:owner/name.git",
        "github:owner/name",
        "https://github.com/owner/name/tree/main/src/x",
        "https://github.com/owner/name#readme",
    ],
)
def test_one_repository_however_it_is_written(url: str) -> None:
    assert repository_key(url) == "github.com/owner/name"


def test_a_repository_may_lie_deeper() -> None:
    assert repository_key("https://gitlab.com/a/b/c.git") == "gitlab.com/a/b/c"
    assert repository_key("https://gitlab.com/a/b/c/-/tree/main/x") == "gitlab.com/a/b/c"


@pytest.mark.parametrize(
    "url", ["", "x", "https://github.com", "https://github.com/owner", "file:///a/b", "http://[/a/b"]
)
def test_what_is_no_repository(url: str) -> None:
    assert repository_key(url) == ""


def found(ref: str, repository: str = "", **more: object) -> Candidate:
    facts = PackageFacts(repository=repository or None)
    return Candidate(**{"ref": parse_ref(ref), "name": ref, "facts": facts, "sources": (ref,), **more})  # type: ignore[arg-type]


def rows(*candidates: Candidate) -> list[list[str]]:
    return [[str(each.ref), *(str(other.ref) for other in each.others)] for each in merge(candidates)]


def test_a_package_and_its_repository_are_one_server() -> None:
    git = found(f"git+{AIRTABLE}")
    assert rows(git, found("npm:airtable-mcp-server", AIRTABLE)) == [["npm:airtable-mcp-server", f"git+{AIRTABLE}"]]
    assert rows(found("npm:@domdomegg/mcp-airtable", AIRTABLE), git) == [
        ["npm:@domdomegg/mcp-airtable", f"git+{AIRTABLE}"]
    ]


def test_the_servers_of_one_repository_stay_apart() -> None:
    refs = ["npm:@modelcontextprotocol/server-filesystem", "npm:@modelcontextprotocol/server-memory", f"git+{MONOREPO}"]
    assert len(rows(*(found(ref, MONOREPO) for ref in refs))) == 3


def test_two_registries_and_one_repository() -> None:
    assert rows(found("npm:weather-mcp", AIRTABLE), found("pypi:mcp_server_weather", AIRTABLE)) == [
        ["npm:weather-mcp", "pypi:mcp_server_weather"]
    ]


def test_without_a_repository_the_same_name_in_two_registries_is_two_servers() -> None:
    assert len(rows(found("npm:weather-mcp"), found("pypi:weather-mcp"))) == 2


def test_a_name_in_a_registry_of_servers_holds_together_what_it_lists() -> None:
    name = "io.github.domdomegg/airtable"
    listed = [found(ref, registry_name=name) for ref in ("npm:a", "oci:docker.io/b/c:1", "https://example.com/mcp")]
    assert rows(*listed) == [["npm:a", "https://example.com/mcp", "oci:docker.io/b/c:1"]]


def test_what_one_package_is_known_for_is_not_said_of_another_that_claims_to_be_the_same() -> None:
    """An impostor that names a well-known repository gets none of the good name."""
    good = found(
        "npm:airtable-mcp-server", AIRTABLE, curated=True, facts=PackageFacts(repository=AIRTABLE, downloads=9)
    )
    evil = found("npm:@evil/airtable-mcp-server", AIRTABLE, description="better", tags=("charts",))
    (kept,) = merge([evil, good])
    assert (str(kept.ref), kept.description, kept.tags) == ("npm:airtable-mcp-server", "", ())
    (other,) = kept.others
    assert (str(other.ref), other.curated, other.facts.downloads) == ("npm:@evil/airtable-mcp-server", False, None)


def test_everything_of_a_candidate_that_can_identify_it() -> None:
    candidate = found("pypi:My_Server.X", "github:o/r", registry_name="A.b/C")
    assert list(keys(candidate)) == ["ref pypi:my-server-x", "name a.b/c", "repository github.com/o/r my-server-x"]
