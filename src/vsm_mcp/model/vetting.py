"""``[vetting]`` of the settings: what the checks compare with, and whom they ask."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

ASKING: Final = ("advisories", "signatures", "dependencies")
"""The checks that ask somebody on the network."""


class Advisories(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[vetting.advisories]``: where known vulnerabilities and known malicious packages come from."""

    api: Annotated[
        str,
        Meta(
            description="The address of an API of OSV, which is told the names and versions of a server's packages;"
            " with none, nobody is asked."
        ),
    ] = "https://api.osv.dev"
    dump: Annotated[
        str,
        Meta(description="Advisories on this machine: a zip or a folder with records of OSV (.json, or .zip of them)."),
    ] = ""
    stale_days: Annotated[
        float, Meta(description="How old the dump may be before that is noted; 0: however old it is.")
    ] = 14.0
    keep_seconds: Annotated[float, Meta(description="How long an answer of the API counts as fresh.")] = 6 * 3600.0


class Signatures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[vetting.signatures]``: whose signatures count, beside the keys of npm that ship with the package."""

    keys: Annotated[
        tuple[str, ...],
        Meta(description="Files with further keys of npm registries, in the form of npm's keys endpoint."),
    ] = ()
    registry_keys: Annotated[
        bool, Meta(description="Whether the keys that a registry itself publishes count for its packages.")
    ] = True


class Vetting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[vetting]``: what the checks before the installation compare with.

    ``required`` names checks (``advisories``, ``signatures``, ``dependencies``) without which nothing is served under
    the profile ``standard``, whether or not their sources ever answered here.
    """

    required: Annotated[
        tuple[str, ...], Meta(description="Checks whose sources have to answer: advisories, signatures, dependencies.")
    ] = ()
    source_timeout_seconds: Annotated[
        float, Meta(gt=0, description="How long a registry or the API of advisories may take to answer a check.")
    ] = 5.0
    licences: Annotated[
        tuple[str, ...],
        Meta(
            description="Licences that need nobody's leave, by their SPDX identifiers (patterns; NOASSERTION: none is"
            " stated); any other: review."
        ),
    ] = (
        "0BSD",
        "AFL-*",
        "AGPL-*",
        "Apache-*",
        "Artistic-2.0",
        "BSD-*",
        "BSL-1.0",
        "BlueOak-1.0.0",
        "CC-BY-[0-9]*",
        "CC-BY-SA-*",
        "CC0-1.0",
        "EPL-*",
        "EUPL-*",
        "Elastic-2.0",  # these, and FSL, forbid to sell it as a service of one's own; not to run it
        "FSL-*",
        "GPL-*",
        "ISC",
        "LGPL-*",
        "MIT*",
        "MPL-*",
        "MulanPSL-*",
        "NCSA",
        "NOASSERTION",  # what says nothing of a licence: a question for lawyers, and none of safety
        "OFL-1.1",
        "PSF-2.0",
        "PostgreSQL",
        "Python-2.0*",
        "UPL-1.0",
        "Unicode-*",
        "Unlicense",
        "WTFPL",
        "X11*",
        "Zlib",
    )
    publishers: Annotated[
        tuple[str, ...],
        Meta(description="Patterns over publishers, `npm:NAME` or `pypi:NAME`; when given, nobody else's is admitted."),
    ] = ()
    deny_publishers: Annotated[
        tuple[str, ...], Meta(description="Patterns over publishers whose packages are never admitted.")
    ] = ()
    young_days: Annotated[
        float, Meta(description="Versions younger than this are for a person to look at; 0: none is too young.")
    ] = 3.0
    hosts: Annotated[
        tuple[str, ...],
        Meta(
            description="Hosts from which dependencies may come, beside those of the registries and `[install] hosts`."
        ),
    ] = ()
    advisories: Advisories = Advisories()
    signatures: Signatures = Signatures()
