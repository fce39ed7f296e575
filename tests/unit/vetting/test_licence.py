"""Licences as packages state them, as their texts are, and against what the settings let in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vsm_mcp.model.candidate import PackageFacts
from vsm_mcp.model.finding import CheckResult
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.vetting import Vetting
from vsm_mcp.vetting.check import Subject
from vsm_mcp.vetting.licence import LicenceCheck, admits, described, expression_of, licence_of

MIT = "Permission is hereby granted, free of charge, to any person\n obtaining a copy ... without restriction, ..."
AGPL = "                    GNU AFFERO GENERAL PUBLIC LICENSE\n                       Version 3, 19 November 2007"
DEFAULT = Vetting().licences


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("MIT", "MIT"),
        ("mit", "MIT"),
        ("MIT License", "MIT"),
        ("The MIT License", "MIT"),
        ("Apache 2.0", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("Apache Software License", "Apache-2.0"),
        ("apache-2.0 or mit", "Apache-2.0 OR MIT"),
        ("(MIT OR Apache-2.0) AND BSD-3-Clause", "(MIT OR Apache-2.0) AND BSD-3-Clause"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"),
        ("BSD License", "BSD-3-Clause"),
        ("GNU General Public License v3 (GPLv3)", "GPL-3.0-only"),
        ("Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0"),
        ("LicenseRef-Mine", "LicenseRef-Mine"),
        (MIT, "MIT"),
        ("UNLICENSED", ""),
        ("SEE LICENSE IN LICENSE.md", ""),
        ("", ""),
        ("all mine", ""),
        ("MIT AND", ""),
        ("x" * 5000, ""),
    ],
)
def test_what_statements_stand_for(text: str, expression: str) -> None:
    assert expression_of(text) == expression


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("# X\n\n## License\n\nThis server is licensed under the MIT License. This means ...", "MIT"),
        ("Released under the terms of the [Apache License 2.0](LICENSE).", "Apache-2.0"),
        ("## Licence\n\n**BSD-3-Clause**\n", "BSD-3-Clause"),
        ("License\n-------\n\nMIT (c) somebody\n", "MIT"),
        ("It is available under the Business Source License 1.1", "BUSL-1.1"),
        ("Licensed under MIT. The data is licensed under CC-BY-NC-4.0.", "CC-BY-NC-4.0 AND MIT"),
        ("Licensed under the same terms as the rest of it.", ""),
        ("We looked for a licence and found none.", ""),
    ],
)
def test_what_descriptions_say(text: str, expression: str) -> None:
    assert described([text]) == expression


@pytest.mark.parametrize(
    ("expression", "met"),
    [
        ("MIT", True),
        ("BUSL-1.1", False),
        ("MIT OR BUSL-1.1", True),
        ("MIT AND BUSL-1.1", False),
        ("BUSL-1.1 OR MIT AND Apache-2.0", True),
        ("(BUSL-1.1 OR MIT) AND SSPL-1.0", False),
        ("(BUSL-1.1 OR (MIT AND ISC)) AND 0BSD", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0 AND MIT", True),
        ("SSPL-1.0 WITH Classpath-exception-2.0", False),
        ("LicenseRef-Mine", False),
    ],
)
def test_an_expression_is_met_by_all_of_and_and_one_of_or(expression: str, met: bool) -> None:
    assert admits(expression, tuple(each.lower() for each in DEFAULT)) is met


async def look(ref: str = "npm:x-mcp", allowed: tuple[str, ...] = DEFAULT, **more: Any) -> CheckResult:
    return await LicenceCheck(allowed).check(Subject(ref=parse_ref(ref), **more))


async def rules(*args: Any, **more: Any) -> list[str]:
    return [finding.rule for finding in (await look(*args, **more)).findings]


async def test_what_the_package_says_goes_first() -> None:
    assert await rules(manifest={"license": "MIT"}) == []
    assert await rules(manifest={"license": {"type": "MIT", "url": "x"}}) == []
    assert await rules(manifest={"licenses": [{"type": "MIT"}]}) == []
    assert await rules(manifest={"license": "BUSL-1.1"}) == ["licence.not_listed"]
    assert await rules(manifest={"license": "MIT"}, allowed=("Apache-2.0",)) == ["licence.not_listed"]
    assert await rules(facts=PackageFacts(licence="MIT")) == []


@pytest.mark.parametrize("given", ["UNLICENSED", "ask my lawyer"])
async def test_nobody_can_tell(given: Any) -> None:
    assert await rules(manifest={"license": given}) == ["licence.unknown"]


@pytest.mark.parametrize("given", [None, "", "UNKNOWN", 7, [], {"type": 7}])
async def test_saying_nothing_is_for_the_settings_to_let_in(given: Any) -> None:
    assert await rules(manifest={"license": given}) == ["licence.unstated"]
    assert await rules(manifest={"license": given}, allowed=("MIT",)) == ["licence.unknown"]


async def test_a_description_counts_where_nothing_else_says_it(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# X\n\n## License\n\nLicensed under the MIT License.\n", "utf-8")
    assert await rules(root=tmp_path, manifest={}) == ["licence.in_description"]
    assert await rules(root=tmp_path, manifest={"license": "SEE LICENSE IN README.md"}) == ["licence.in_description"]
    assert await rules(root=tmp_path, manifest={"license": "UNLICENSED"}) == ["licence.unknown"]
    (tmp_path / "README.md").write_text("Licensed under the BUSL-1.1.\n", "utf-8")
    assert await rules(root=tmp_path, manifest={}) == ["licence.in_description", "licence.not_listed"]


async def test_texts_are_looked_at_where_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text(MIT, "utf-8")
    answer = await look(root=tmp_path, manifest={})
    assert (answer.findings, answer.looked_at, answer.detail) == ((), 1, "MIT")
    (tmp_path / "LICENSE").write_text("no text of anybody", "utf-8")
    assert await rules(root=tmp_path, manifest={}) == ["licence.unknown"]
    assert await rules(root=tmp_path, manifest={"license": "SEE LICENSE IN LICENSE"}) == ["licence.elsewhere"]


async def test_a_text_that_says_otherwise_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text("Business Source License 1.1", "utf-8")
    assert await rules(root=tmp_path, manifest={"license": "MIT"}) == ["licence.differs"]
    (tmp_path / "LICENSE").rename(tmp_path / "LICENSE-third-party")
    assert await rules(root=tmp_path, manifest={"license": "MIT"}) == []


async def test_a_wheel_says_it_in_its_metadata(tmp_path: Path) -> None:
    folder = tmp_path / "x_mcp-1.0.dist-info"
    (folder / "licenses").mkdir(parents=True)
    metadata = (
        "Name: x-mcp\nClassifier: License :: OSI Approved :: MIT License\n\nLike the Apache License, Version 2.0."
    )
    (folder / "METADATA").write_text(metadata, "utf-8")
    answer = await look("pypi:x-mcp", root=tmp_path, manifest={"license": ""})
    assert (answer.findings, answer.detail) == ((), "MIT")
    (folder / "METADATA").write_text("Name: x-mcp\n", "utf-8")
    (folder / "licenses/LICENSE").write_text(AGPL, "utf-8")
    answer = await look("pypi:x-mcp", root=tmp_path, manifest={"license": ""}, allowed=("MIT",))
    assert (answer.findings[0].rule, answer.detail) == ("licence.not_listed", "AGPL-3.0-only")


def test_texts() -> None:
    assert licence_of(AGPL) == "AGPL-3.0-only"
    assert licence_of("GNU LESSER GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007") == "LGPL-3.0-only"
    assert licence_of("nothing") == ""


async def test_a_program_of_this_machine_has_none() -> None:
    assert (await look("cmd:true")).looked_at == 0
