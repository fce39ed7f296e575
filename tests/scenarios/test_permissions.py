"""Permission profiles from the command line to the running server."""

from __future__ import annotations

from pathlib import Path

from tests.scenarios.homes import Done, Home


def configured(home: Home, text: str) -> None:
    home.path.mkdir()
    (home.path / "vsm-mcp.toml").write_text(text)


def named(home: Home, folder: Path, *options: str) -> Done:
    """Add the scripted server with an argument that merely names a folder."""
    return home.add_faulty("named", f"--unused={folder}", options=options)


def granted(done: Done) -> tuple[list[str], list[str]]:
    return done.document["plan"]["reads"], done.document["plan"]["writes"]


def test_what_an_argument_names_is_opened_as_the_profile_says(home: Home, tmp_path: Path) -> None:
    configured(home, '[permissions.writing]\nnamed_paths = "write"\n')
    folder, project = tmp_path / "named", tmp_path / "project"
    folder.mkdir()
    project.mkdir()
    at = ("--project", str(project))
    assert granted(named(home, folder)) == ([], [str(folder)])
    assert granted(named(home, folder, "--permissions", "none")) == ([], [])
    assert granted(named(home, folder, "--permissions", "read-only", *at)) == ([str(folder), str(project)], [])
    assert granted(named(home, folder, "--permissions", "project", *at)) == ([], [str(project)])
    assert granted(named(home, folder, "--permissions", "writing")) == ([], [str(folder)])


def test_what_the_policy_forbids_a_profile_cannot_grant(home: Home) -> None:
    configured(home, '[policy]\nallow_network = false\n[permissions.online]\nhosts = ["example.com"]\n')
    done = home.add_faulty("online", options=("--permissions", "online"))
    assert (done.code, done.document["outcome"]) == (3, "rejected")
    assert "allow_network" in done.document["reason"]["message"]
    assert done.document["plan"]["hosts"] == ["example.com"]


def test_a_profile_that_is_not_listed_needs_a_person_whatever_the_autonomy(home: Home) -> None:
    configured(
        home, '[policy]\nautonomy = "auto"\npermissions_unasked = ["small"]\n[permissions.small]\nprocesses = 40\n'
    )
    words = ("add", "cmd:/usr/bin/true", "--name", "asked", "--permissions")
    refused = home.run(*words, "browser")
    assert (refused.code, refused.document["reason"]["code"]) == (3, "approval_needed")
    assert "permissions_unasked" in refused.document["reason"]["message"]
    tried = home.run(*words, "small").document
    assert tried["reason"]["code"] not in {"approval_needed", "policy_denied"}
    assert tried["plan"]["limits"]["processes"] == 40


def test_a_home_is_no_project(home: Home, tmp_path: Path) -> None:
    home.environ["HOME"] = str(tmp_path)
    done = home.add_faulty("x", options=("--permissions", "project", "--project", str(tmp_path)))
    assert (done.code, done.document["outcome"]) == (2, "failed")
    assert "no project directory" in done.document["reason"]["message"]


def test_a_server_that_is_there_gets_another_profile(home: Home, tmp_path: Path) -> None:
    configured(home, '[policy]\nautonomy = "auto"\n[permissions.site]\nhosts = ["h.example:8443"]\nprocesses = 41\n')
    assert home.add_faulty("one").document["outcome"] == "served"
    refused = home.run("set", "one", "--permissions", "site")
    assert (refused.code, refused.document["error"]["code"]) == (3, "approval_needed")
    assert home.run("set", "one", "--permissions", "none").code == 0
    assert home.run("set", "one", "--permissions", "project", "--project", "/tmp", "--yes").code == 2
    assert home.run("set", "one", "--permissions", "site", "--yes").code == 0
    shown = home.run("inspect", "one").document["server"]
    assert (shown["permissions"], shown["plan"]["hosts"], shown["plan"]["network"]) == (
        "site",
        ["h.example:8443"],
        "hosts",
    )
    assert shown["limits"]["processes"]["limit"] == shown["plan"]["limits"]["processes"] == 41
    project = tmp_path / "project"
    project.mkdir()
    done = home.run("set", "one", "--permissions", "project", "--project", str(project), "--yes")
    assert done.code == 0, done.stderr
    plan = home.run("inspect", "one").document["server"]["plan"]
    assert (plan["writes"], plan["network"]) == ([str(project)], "off")


def test_a_host_that_cannot_be_read_is_found_before_anything_is_done(home: Home) -> None:
    configured(home, '[permissions.bad]\nhosts = ["https://h.example/x"]\n')
    done = home.add_faulty("bad", options=("--permissions", "bad"))
    assert (done.code, done.document["outcome"]) == (2, "failed")
    assert "https://h.example/x" in done.document["reason"]["message"]
