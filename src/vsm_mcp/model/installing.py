"""How packages are fetched and built, and how much they may take: the section ``[install]``."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class Install(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[install]``: fetching and building.

    ``trusted_publishers`` holds patterns over references, as ``[policy] allow`` does: ``npm:@scope/*``, ``pypi:NAME``.
    """

    resolve_timeout_seconds: Annotated[float, Meta(description="How long resolving versions may take.")] = 90.0
    build_timeout_seconds: Annotated[float, Meta(description="How long installing may take.")] = 300.0
    max_package_bytes: Annotated[int, Meta(description="The largest archive that is fetched.")] = 500 * 1024 * 1024
    max_unpacked_bytes: Annotated[int, Meta(description="The largest archive once unpacked.")] = 2 * 1024 * 1024 * 1024
    max_files: Annotated[int, Meta(description="The most files in an archive.")] = 100_000
    min_release_age_days: Annotated[
        float, Meta(description="The cool-down: versions younger than this are not installed; 0: none.")
    ] = 3.0
    trusted_publishers: Annotated[
        tuple[str, ...], Meta(description="Patterns over references for which there is no cool-down.")
    ] = ()
    confined: Annotated[bool, Meta(description="Whether npm and uv run in the sandbox, where there is one.")] = True
    hosts: Annotated[tuple[str, ...], Meta(description="What npm and uv may reach beside the registries.")] = ()
    at_once: Annotated[int, Meta(ge=1, description="How many servers are installed at a time; others wait.")] = 5
    quota_bytes: Annotated[
        int, Meta(description="How much all installations of the home may take on disk; 0: no limit.")
    ] = 20 * 1024 * 1024 * 1024
    cache_bytes: Annotated[
        int, Meta(description="How much the caches below the home may take before they are emptied.")
    ] = 2 * 1024 * 1024 * 1024
    container_engine: Annotated[
        str, Meta(description="What runs containers: podman, docker, or auto for the first one that works.")
    ] = "auto"
