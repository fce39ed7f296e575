"""Identity: the policy's lists, names that look like others, brands."""

from __future__ import annotations

import pytest

from vsm_mcp.model.candidate import PackageFacts
from vsm_mcp.model.finding import CheckStatus, Severity
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.vetting.check import Subject
from vsm_mcp.vetting.identity import IdentityCheck, known_brands, popular_names


async def rules(ref: str, check: IdentityCheck | None = None, **more: object) -> list[str]:
    subject = Subject(ref=parse_ref(ref), **more)  # type: ignore[arg-type]
    return [finding.rule for finding in (await (check or IdentityCheck()).check(subject)).findings]


@pytest.mark.parametrize(
    ("ref", "rule"),
    [
        ("npm:@modelcontextprotocl/server-filesystem", "identity.look_alike"),
        ("npm:mcp-proxi", "identity.look_alike"),
        ("npm:@modelcontextprotoco1/server-filesystem", "identity.homoglyph"),
        ("npm:mcp-remot", "identity.look_alike"),
        ("npm:mcp-rernote", "identity.homoglyph"),
        ("npm:@upstash/context7-mpc", "identity.look_alike"),
        ("npm:firecrawl-mpc", "identity.look_alike"),
        ("npm:modelcontextprotocol-server-filesystem", "identity.dropped_scope"),
        ("npm:@someone/notion-mcp-server", "identity.brand"),
        ("npm:@someone/server-sequential-thinking", "identity.dropped_scope"),
        ("pypi:mcp-server-gti", "identity.look_alike"),
        ("pypi:fastrncp", "identity.homoglyph"),
        ("npm:postmark-mcp", "identity.brand"),
        ("npm:@someone/stripe-mcp", "identity.brand_in_scope"),
        ("npm:@stripe-tools/stripe-mcp", "identity.brand"),
        ("npm:@someone/mcp-server-supabase", "identity.brand"),
    ],
)
async def test_names_that_make_people_think_of_others(ref: str, rule: str) -> None:
    assert await rules(ref) == [rule]


@pytest.mark.parametrize(
    "ref",
    [
        "npm:@modelcontextprotocol/server-everything", "npm:@modelcontextprotocol/server-filesystem",
        "npm:@modelcontextprotocol/server-memory", "npm:@modelcontextprotocol/server-pdf",
        "npm:@modelcontextprotocol/server-budget-allocator", "npm:@playwright/mcp", "npm:mcp-echarts",
        "npm:@eslint/mcp",
        "npm:mcp-hello-world", "npm:@negokaz/excel-mcp-server", "npm:@sylphx/pdf-reader-mcp",
        "npm:mcp-server-sqlite-npx", "npm:@bytebase/dbhub", "npm:@coo-quack/calc-mcp", "npm:mcp-server-commands",
        "npm:n8n-mcp", "npm:0nmcp", "npm:@mastra/mcp-docs-server", "pypi:mcp-server-time", "pypi:mcp-server-fetch",
        "pypi:mcp-server-git", "pypi:mcp-server-sqlite", "pypi:excel-mcp-server", "pypi:markitdown-mcp",
        "pypi:mcp-sympy",
        "pypi:regex-ai-mcp", "pypi:random-number-mcp", "pypi:kglite", "pypi:mcp-alchemy", "pypi:mcp-python-interpreter",
        "npm:@antv/mcp-server-chart", "npm:@upstash/context7-mcp", "npm:@ivotoby/openapi-mcp-server",
        "npm:@modelcontextprotocol/server-github", "npm:@modelcontextprotocol/server-postgres",
        "npm:@wonderwhy-er/desktop-commander", "pypi:basic-memory", "pypi:hashing-mcp-server",
        "pypi:networkx-mcp-server", "npm:@modelcontextprotocol/server-gitlab",
        "npm:@stripe/mcp", "npm:@supabase/mcp-server-supabase", "npm:tavily-mcp", "npm:supabase-mcp",
    ],
)  # fmt: skip
async def test_honest_servers_are_left_alone(ref: str) -> None:
    assert await rules(ref) == []


async def test_popular_names_do_not_accuse_each_other() -> None:
    accused = [name for name in popular_names() if await rules(name)]
    assert accused == []


async def test_the_deny_list_wins_over_the_allow_list() -> None:
    check = IdentityCheck(allow=("npm:@good/*",), deny=("npm:@good/bad",))
    assert await rules("npm:@good/bad", check) == ["identity.denied"]
    assert await rules("npm:@good/fine", check) == []
    assert await rules("npm:other", check) == ["identity.not_allowed"]


async def test_what_the_policy_allows_by_name_is_not_accused_of_its_name() -> None:
    assert await rules("npm:mcp-remot", IdentityCheck(allow=("npm:mcp-remot",))) == []


async def test_files_that_call_themselves_otherwise_block() -> None:
    assert await rules("npm:some-mcp", manifest={"name": "other-mcp"}) == ["identity.other_name"]
    assert await rules("npm:some-mcp", version="1.0.0", manifest={"name": "some-mcp", "version": "6.6.6"}) == [
        "identity.other_name"
    ]
    assert await rules("pypi:Some_Thing-mcp", manifest={"name": "some.thing.mcp", "version": "1"}) == []


async def test_deprecation_is_noted_only() -> None:
    result = await IdentityCheck().check(Subject(ref=parse_ref("npm:some-mcp"), facts=PackageFacts(deprecated=True)))
    assert result.status is CheckStatus.PASS
    assert [finding.severity for finding in result.findings] == [Severity.NOTE]


async def test_it_says_how_much_it_compared() -> None:
    result = await IdentityCheck(popular=("npm:a-b-c",), brands=()).check(Subject(ref=parse_ref("npm:z")))
    assert (result.looked_at, result.status) == (1, CheckStatus.PASS)


def test_the_lists_that_ship_are_sane() -> None:
    assert len(popular_names()) >= 150
    assert len(set(popular_names())) == len(popular_names())
    for name in popular_names():
        assert parse_ref(name)
    assert all(owner.startswith(("@", "npm:", "pypi:")) for brand in known_brands() for owner in brand.owners)


@pytest.mark.parametrize(
    ("ref", "rule"),
    [
        ("npm:mcp-server-filesytem", "identity.look_alike"),
        ("npm:desktop-comander", "identity.look_alike"),
        ("pypi:mcp-server-filesytem", "identity.look_alike"),
        ("npm:server-sequental-thinking", "identity.look_alike"),
        ("npm:playwright-mcp", "identity.dropped_scope"),
        ("npm:mcp-resend", "identity.brand"),
    ],
)
async def test_the_telling_words_alone_may_be_a_typing_mistake_away(ref: str, rule: str) -> None:
    assert await rules(ref) == [rule]


@pytest.mark.parametrize("ref", ["npm:mcp-filesystem", "npm:server-filesystems", "npm:notion-clone-mcp-servers"])
async def test_the_same_words_and_their_plural_are_no_mistake(ref: str) -> None:
    assert "identity.look_alike" not in await rules(ref)


async def test_lists_may_name_versions() -> None:
    check = IdentityCheck(deny=("npm:axios-mcp@1.14.*", "pypi:some-mcp==2.0"))
    assert await rules("npm:axios-mcp", check, version="1.14.1") == ["identity.denied"]
    assert await rules("npm:axios-mcp", check, version="1.13.0") == []
    assert await rules("pypi:some-mcp", check, version="2.0") == ["identity.denied"]
    assert await rules("npm:axios-mcp", IdentityCheck(allow=("npm:axios-mcp@1.13.0",)), version="1.14.1") == [
        "identity.not_allowed"
    ]


async def test_lists_may_name_publishers() -> None:
    from tests.unit.discovery.network.hosts import serving
    from tests.unit.vetting.signatures.signing import Vouching, packument, version

    from vsm_mcp.registries.addresses import Addresses
    from vsm_mcp.registries.client import Registries
    from vsm_mcp.vetting.publishers import Publishers

    said = Vouching(
        {"x-mcp": packument("x-mcp", version("x-mcp", "1.0.0"), version("x-mcp", "2.0.0", _npmUser={"name": "ann"}))},
        projects={"x-mcp": {"info": {}, "releases": {}, "ownership": {"roles": [{"role": "Owner", "user": "ann"}]}}},
    )
    async with serving(said) as host:
        addresses = Addresses(npm=f"{host.address}/", pypi_index=f"{host.address}/simple/")
        async with Registries(addresses) as registries:

            async def found(ref: str, number: str, *lists: tuple[str, ...]) -> list[str]:
                check = IdentityCheck(publishers=Publishers(*lists))
                return await rules(ref, check, version=number, registries=registries)

            assert await found("npm:x-mcp", "2.0.0", (), ("npm:ann",)) == ["identity.denied"]
            assert await found("npm:x-mcp", "2.0.0", ("npm:ann",)) == []
            assert await found("npm:x-mcp", "2.0.0", ("npm:bob", "pypi:ann")) == ["identity.not_allowed"]
            assert await found("npm:x-mcp", "1.0.0", ("npm:ann",)) == ["identity.publisher_unknown"]
            assert await found("pypi:x-mcp", "1.0.0", ("pypi:a*",)) == []
            assert await found("pypi:x-mcp", "1.0.0", (), ("pypi:ann",)) == ["identity.denied"]
            assert await found("npm:gone-mcp", "1.0.0", (), ("npm:ann",)) == ["identity.publisher_unknown"]
