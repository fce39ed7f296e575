from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.unit.gateway.issuing import Issuer as Local
from tests.unit.gateway.issuing import issuing

from vsm_mcp.gateway.challenge import Rejected, Resource
from vsm_mcp.gateway.tokens import MAX_TOKEN, Tokens, principal_of
from vsm_mcp.model.auth import Auth

URL = "https://mcp.example.com/mcp"


@pytest.fixture
async def local() -> AsyncIterator[Local]:
    async with issuing() as issuer:
        issuer.add_key("one")
        yield issuer


def tokens(local: Local, **settings: Any) -> Tokens:
    return Tokens(Auth(issuer=local.url, public_url=URL, **settings))


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_a_token_for_us(algorithm: str) -> None:
    async with issuing() as local:
        local.add_key("one", algorithm)
        expires = time.time() + 60
        principal, until = await tokens(local).verify(local.token(algorithm=algorithm, aud=URL, exp=expires))
        assert "ada" in principal.name
        assert local.url in principal.name
        assert until == pytest.approx(expires)


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"aud": "https://other.example/mcp"}, "another audience"),
        ({"aud": None}, "no valid token"),
        ({"aud": 1}, "another audience"),
        ({"aud": URL, "iss": "https://evil.example"}, "another issuer"),
        ({"aud": URL, "iss": None}, "no valid token"),
        ({"aud": URL, "exp": time.time() - 100}, "has expired"),
        ({"aud": URL, "exp": None}, "no valid token"),
        ({"aud": URL, "exp": "soon"}, "no valid token"),
        ({"aud": URL, "nbf": time.time() + 1_000_000}, "not valid yet"),
        ({"aud": URL, "sub": None}, "whose it is"),
        ({"aud": URL, "sub": "x" * 1000}, "whose it is"),
        ({"aud": URL + "x"}, "another audience"),
    ],
)
async def test_tokens_that_are_not_good(local: Local, claims: dict[str, Any], why: str) -> None:
    given = local.token(**claims)
    with pytest.raises(Rejected, match=why) as caught:
        await tokens(local).verify(given)
    assert given not in str(caught.value)
    assert caught.value.error == "invalid_token"


async def test_signatures_that_are_not_good(local: Local) -> None:
    judge = tokens(local)
    good = local.token(aud=URL)
    await judge.verify(good)
    head, body, signature = good.split(".")
    forged = base64.urlsafe_b64encode(json.dumps({"iss": local.url, "aud": URL, "sub": "eve"}).encode()).decode()
    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"one"}').decode().rstrip("=")
    symmetric = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').decode().rstrip("=")
    public = json.dumps(local.published[0]).encode()
    made = hmac.digest(public, f"{symmetric}.{body}".encode(), "sha256")
    shared = f"{symmetric}.{body}.{base64.urlsafe_b64encode(made).decode().rstrip('=')}"
    async with issuing() as other:
        other.add_key("one")
        stolen = other.token(aud=URL, iss=local.url)
        unknown = other.token(aud=URL, iss=local.url, head={"kid": "two"})
    for token, why in (
        (f"{head}.{forged.rstrip('=')}.{signature}", "signature"),
        (f"{head}.{body}.", "signature|no valid"),
        (f"{none}.{body}.", "algorithm"),
        (shared, "algorithm"),
        (stolen, "signature"),
        (unknown, "does not publish"),
        ("not.a.token", "no valid token"),
        ("", "no valid token"),
        ("a" * (MAX_TOKEN + 1), "too long"),
        (f"{head}.{body}.{signature}\u00e9", "no valid token"),
    ):
        with pytest.raises(Rejected, match=why):
            await judge.verify(token)


async def test_only_the_algorithms_that_are_accepted(local: Local) -> None:
    with pytest.raises(Rejected, match="algorithm"):
        await tokens(local, algorithms=("RS256",)).verify(local.token(aud=URL))
    local.add_key("bound", "RS256", alg="RS256")  # a key for one algorithm is not used for another
    assert await tokens(local).verify(local.token("bound", "RS256", aud=URL))
    with pytest.raises(Rejected, match=r"algorithm|no valid"):
        await tokens(local).verify(local.token("bound", "PS256", aud=URL))


async def test_an_extension_that_we_do_not_know_is_critical(local: Local) -> None:
    with pytest.raises(Rejected, match="no valid token"):
        await tokens(local).verify(local.token(aud=URL, head={"crit": ["odd"], "odd": 1}))


async def test_leeway(local: Local) -> None:
    late = local.token(aud=URL, exp=time.time() - 10)
    assert await tokens(local, leeway_seconds=30).verify(late)
    with pytest.raises(Rejected, match="expired") as caught:
        await tokens(local, leeway_seconds=0).verify(late)
    assert caught.value.genuine


def judged(settings: Auth | None = None, **claims: Any) -> Any:
    settings = settings or Auth(issuer="https://i", public_url=URL)
    return principal_of({"sub": "ada", **claims}, settings, Resource(settings.public_url or URL, settings.issuer))


@pytest.mark.parametrize(
    ("audience", "profiles"),
    [
        (URL, ("*",)),
        ("HTTPS://MCP.example.com/mcp/", ("*",)),
        ([URL, "https://other"], ("*",)),
        (f"{URL}/web", ("web",)),
        ([f"{URL}/web", f"{URL}/dev", "x"], ("web", "dev")),
    ],
)
def test_a_token_for_a_profile_opens_that_one_only(audience: Any, profiles: tuple[str, ...]) -> None:
    assert judged(aud=audience).grant.profiles == profiles


@pytest.mark.parametrize("audience", [f"{URL}/a/b", f"{URL}/*", f"{URL}/", [], {}, None])
def test_an_odd_audience_opens_nothing_but_the_endpoint(audience: Any) -> None:
    if audience == f"{URL}/":
        assert judged(aud=audience).grant.profiles == ("*",)
    else:
        with pytest.raises(Rejected, match="audience"):
            judged(aud=audience)


def test_an_audience_of_the_settings_takes_the_place_of_the_url() -> None:
    settings = Auth(issuer="https://i", public_url=URL, audience="api://tools")
    assert judged(settings, aud="api://tools").grant.profiles == ("*",)
    with pytest.raises(Rejected, match="audience"):
        judged(settings, aud=URL)


def test_scopes_in_their_various_forms() -> None:
    settings = Auth(issuer="https://i", public_url=URL, required_scopes=("tools", "read"))
    good: list[dict[str, Any]] = [{"scope": "read tools more"}, {"scp": ["tools", "read"]}]
    for claims in [*good, {"scope": ["tools"], "scp": "read"}]:
        assert judged(settings, aud=URL, **claims)
    lacking: list[dict[str, Any]] = [{}, {"scope": "tools"}, {"scope": "toolsread"}, {"scope": 7}]
    for claims in lacking:
        with pytest.raises(Rejected, match="lacks the scope") as caught:
            judged(settings, aud=URL, **claims)
        assert caught.value.error == "insufficient_scope"


def test_a_claim_lists_the_profiles_and_the_audience_cannot_widen_it() -> None:
    settings = Auth(issuer="https://i", public_url=URL, claim="groups")
    assert judged(settings, aud=URL, groups=["web", "dev"]).grant.profiles == ("web", "dev")
    assert judged(settings, aud=URL, groups="web /").grant.profiles == ("web", "")
    assert judged(settings, aud=URL).grant.profiles == ()
    assert judged(settings, aud=f"{URL}/admin", groups=["web"]).grant.profiles == ()
    assert judged(settings, aud=f"{URL}/web", groups=["w*"]).grant.profiles == ("web",)


def test_principals_are_told_apart() -> None:
    several: list[dict[str, Any]] = [
        {"sub": "ada"},
        {"sub": "ada", "client_id": "x"},
        {"sub": "ada x"},
        {"sub": "ada", "azp": "y"},
        {"sub": "ada', 'x"},
        {"sub": "key:ci"},
    ]
    names = {judged(aud=URL, **claims).name for claims in several}
    assert len(names) == 6
    assert "key:ci" not in names


def test_limits_of_those_who_present_tokens() -> None:
    settings = Auth(issuer="https://i", public_url=URL, token_rate=30, token_concurrency=2)
    grant = judged(settings, aud=URL).grant
    assert (grant.rate, grant.concurrency) == (30, 2)
