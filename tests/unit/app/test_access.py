from __future__ import annotations

from pathlib import Path

import pytest

from vsm_mcp import config
from vsm_mcp.app.access import authentication, check, mode_of, warn_in_clear
from vsm_mcp.config import Config, Gateway
from vsm_mcp.errors import ConfigError
from vsm_mcp.events import AccessInClear, Event, ignore
from vsm_mcp.gateway.keyring import Keyring
from vsm_mcp.model.auth import Auth
from vsm_mcp.model.key import Key
from vsm_mcp.model.principal import Grant

ELSEWHERE = "0.0.0.0"  # noqa: S104
ISSUER = "https://issuer.example"
KEYS = Keyring([Key(id="a", name="a", digest=b"")])
EXPIRED = Keyring([Key(id="a", name="a", digest=b"", grant=Grant(expires=1.0))])


def settings(host: str = ELSEWHERE, **auth: str) -> Config:
    return Config(home=Path("/nowhere"), gateway=Gateway(host=host), auth=Auth(**auth))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "mode", "issuer", "comes_to"),
    [
        ("127.0.0.1", "auto", "", "none"),
        ("::1", "auto", ISSUER, "none"),
        ("localhost", "auto", "", "none"),
        (ELSEWHERE, "auto", "", "keys"),
        ("192.0.2.1", "auto", ISSUER, "oauth"),
        ("gateway.lan", "auto", "", "keys"),
        ("127.0.0.1", "keys", "", "keys"),
        ("127.0.0.1", "oauth", ISSUER, "oauth"),
        (ELSEWHERE, "none", "", "none"),
    ],
)
def test_what_the_mode_comes_to(host: str, mode: str, issuer: str, comes_to: str) -> None:
    assert mode_of(Auth(mode=mode, issuer=issuer), host) == comes_to


def test_nobody_is_asked_on_loopback() -> None:
    assert authentication(settings("127.0.0.1"), Keyring(), ignore) is None
    assert authentication(settings("127.0.0.1"), KEYS, ignore) is None
    assert authentication(settings("127.0.0.1", mode="keys"), Keyring(), ignore) is not None


@pytest.mark.parametrize("ring", [Keyring(), EXPIRED])
def test_elsewhere_nobody_listens_without_a_key(ring: Keyring) -> None:
    for auth in ({}, {"mode": "keys"}):
        with pytest.raises(ConfigError, match="no key yet") as caught:
            authentication(settings(**auth), ring, ignore)
        assert "vsm-mcp key create NAME" in caught.value.hint
    assert authentication(settings(), KEYS, ignore) is not None


def test_elsewhere_somebody_is_always_asked() -> None:
    with pytest.raises(ConfigError, match="mode is none"):
        authentication(settings(mode="none"), KEYS, ignore)


def test_clients_have_to_know_the_url_that_tokens_are_for() -> None:
    with pytest.raises(ConfigError, match="issuer of tokens") as caught:
        authentication(settings(issuer=ISSUER), Keyring(), ignore)
    assert "public_url" in caught.value.hint
    assert authentication(settings(issuer=ISSUER, public_url="https://x/mcp"), Keyring(), ignore) is not None
    assert authentication(settings("127.0.0.1", mode="oauth", issuer=ISSUER), Keyring(), ignore) is not None


@pytest.mark.parametrize(
    ("given", "warned"),
    [
        (settings(), True),
        (settings(public_url="http://x/mcp"), True),
        (settings(public_url="https://x/mcp"), False),
        (settings("127.0.0.1", mode="keys"), False),
    ],
)
def test_whoever_serves_in_clear_is_told(given: Config, warned: bool) -> None:
    events: list[Event] = []
    warn_in_clear(given, "http://0.0.0.0:8765/mcp", events.append)
    assert [type(event) for event in events] == [AccessInClear] * warned
    assert all("TLS" in event.to_dict()["hint"] for event in events)


def load(tmp_path: Path, text: str, **environ: str) -> Auth:
    (tmp_path / "vsm-mcp.toml").write_text(f"[auth]\n{text}\n")
    auth = config.load(tmp_path, environ).auth
    check(auth)
    return auth


def test_settings_that_fit_together(tmp_path: Path) -> None:
    text = 'mode = "oauth"\nissuer = "https://i.example/t"\npublic_url = "http://gateway.lan:8765/mcp"\n'
    auth = load(tmp_path, text + 'required_scopes = ["mcp:tools", "a.b"]', VSM_MCP_AUTH_LEEWAY_SECONDS="5")
    assert auth.leeway_seconds == 5
    assert "none" not in auth.algorithms
    assert load(tmp_path, 'issuer = "http://127.0.0.1:9000"').mode == "auto"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('mode = "open"', "mode"),
        ('mode = "oauth"', "without an issuer"),
        ('issuer = "http://issuer.example"', "issuer"),
        ('issuer = "https://user:s3cret@issuer.example"', "issuer"),
        ('issuer = "issuer.example"', "issuer"),
        ('issuer = "https://["', "issuer"),
        ('jwks_url = "http://issuer.example/keys"', "jwks_url"),
        ('public_url = "https://x/mcp?a=b"', "public_url"),
        ('public_url = "https://x/mcp#a"', "public_url"),
        ('algorithms = ["HS256"]', "HS256"),
        ('algorithms = ["RS256", "none"]', "none"),
        ("algorithms = []", "nothing"),
        ('required_scopes = ["two words"]', "scope"),
        ("required_scopes = ['a\"b']", "scope"),
        ("leeway_seconds = -1", "is -1"),
        ("token_rate = -1", "is -1"),
    ],
)
def test_settings_that_are_refused(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        load(tmp_path, text)
    assert caught.value.hint
    assert "s3cret" not in caught.value.message
