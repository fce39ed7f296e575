from __future__ import annotations

from pathlib import Path

from vsm_mcp.install.licences import choices, statements


def test_what_python_packages_say(tmp_path: Path) -> None:
    site = tmp_path / "venv" / "lib" / "python3.12" / "site-packages"
    for name, lines in {
        "New.Form": ["License-Expression: MIT OR Apache-2.0", "License: whatever"],
        "old": ["License: BSD", "Classifier: License :: OSI Approved :: BSD License"],
        "whole": [
            f"License: {'permission is granted ' * 20}",
            "Classifier: License :: OSI Approved :: ISC License (ISCL)",
        ],
        "silent": ["License: UNKNOWN", "Classifier: Topic :: Games"],
    }.items():
        folder = site / f"{name}-1.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(
            "\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1", *lines, "", "Text"])
        )
    assert statements(tmp_path) == {
        "new-form": ("MIT OR Apache-2.0", "whatever"),
        "old": ("BSD", "BSD License"),
        "whole": ("ISC License (ISCL)",),
        "silent": (),
    }
    assert statements(tmp_path / "nothing") == {}


def test_what_no_licence_is_read_from_has_none() -> None:
    assert list(choices("")) == []
    assert list(choices("do as you like")) == [{"license": {"name": "do as you like"}}]
