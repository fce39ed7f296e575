"""Who may call the endpoint: the section ``[auth]``."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class Auth(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[auth]``: who may call the endpoint over HTTP.

    ``mode`` is auto (nobody is asked on loopback; elsewhere keys are asked for, and tokens where an issuer is named),
    none (loopback only), keys, or oauth (tokens of the issuer, and keys). Keys are made by ``vsm-mcp key create``.
    """

    mode: Annotated[str, Meta(description="Who is asked for what: auto, none, keys or oauth.")] = "auto"
    public_url: Annotated[
        str,
        Meta(description="The URL of the endpoint as clients know it, `https://HOST/mcp`; default: where it listens."),
    ] = ""
    issuer: Annotated[str, Meta(description="The issuer of tokens: the URL of an OAuth authorization server.")] = ""
    audience: Annotated[str, Meta(description="The audience that tokens have to name; default: public_url.")] = ""
    jwks_url: Annotated[
        str, Meta(description="Where the issuer publishes its keys; default: where its metadata says.")
    ] = ""
    required_scopes: Annotated[tuple[str, ...], Meta(description="Scopes that every token needs.")] = ()
    claim: Annotated[
        str, Meta(description="The claim that lists the profiles a token opens (`/`: the endpoint without one).")
    ] = ""
    algorithms: Annotated[
        tuple[str, ...], Meta(description="Signature algorithms that are accepted; none with a shared secret can be.")
    ] = ("RS256", "PS256", "ES256", "ES384", "EdDSA")
    leeway_seconds: Annotated[float, Meta(description="How far the clocks of issuer and gateway may differ.")] = 30.0
    token_rate: Annotated[float, Meta(description="Requests a minute of whoever presents tokens; 0: no limit.")] = 0.0
    token_concurrency: Annotated[
        int, Meta(description="Requests at a time of whoever presents tokens; 0: no limit.")
    ] = 0
