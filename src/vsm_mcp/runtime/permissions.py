"""A permission profile and what was given by hand → what a server gets: pure."""

from __future__ import annotations

import os
from typing import Final

import msgspec

from vsm_mcp.config import Config, Sandbox
from vsm_mcp.errors import BadArgument, UnknownPermissions
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.permissions import PROJECT, Permissions, in_project

UNSAID: Final = Permissions(named_paths="write")
"""What holds where no profile was chosen: nothing is granted but what is given, and what is named is given."""


def profile_of(settings: Settings, config: Config) -> Permissions:
    """Return the profile that settings name. Raises :class:`UnknownPermissions`: a lost one grants nothing."""
    name = settings.permissions
    if not name:
        return UNSAID
    profile = config.permissions.get(name)
    if profile is None:
        known = ", ".join(config.permissions)
        raise UnknownPermissions(f"there is no permission profile {name!r}", f"permission profiles: {known}")
    return profile


def permitted(settings: Settings, profile: Permissions) -> Settings:
    """Return the settings with what the profile grants: the union of both, and nothing else.

    Where both name a path, the wider right holds. A profile that grants the project directory makes it the working
    directory where no other is given. Raises :class:`BadArgument` where it grants that and none is known.
    """
    if profile.wants_project and not settings.project:
        raise BadArgument("the permission profile grants the project directory, and none is named", "--project DIR")
    paths = dict(settings.paths)
    for path, writable in profile.granted():
        absolute = _placed(path, settings.project)
        paths[absolute] = writable or paths.get(absolute, False)
    return msgspec.structs.replace(
        settings,
        paths=tuple(sorted(paths.items())),
        hosts=tuple(dict.fromkeys((*settings.hosts, *profile.hosts))),
        cwd=settings.cwd or (settings.project if PROJECT in dict(profile.granted()) else ""),
    )


def limited(limits: Sandbox, profile: Permissions) -> Sandbox:
    """Return the limits with those that the profile names in their place."""
    return msgspec.structs.replace(limits, **profile.limits())


def cores_of(settings: Settings, config: Config) -> float:
    """Return how many cores one process of a server may use; 0 where there is no limit, or none is known."""
    try:
        return limited(config.sandbox, profile_of(settings, config)).cpus
    except UnknownPermissions:
        return 0.0


def _placed(path: str, project: str) -> str:
    return os.path.normpath(os.path.join(project, path)) if in_project(path) else path  # noqa: PTH118 - text only
