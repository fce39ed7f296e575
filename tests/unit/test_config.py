from __future__ import annotations

from pathlib import Path

import pytest

from vsm_mcp.config import Config, load, variable
from vsm_mcp.errors import ConfigError
from vsm_mcp.model.profile import Profile


def read(home: Path, text: str, **environ: str) -> Config:
    (home / "vsm-mcp.toml").write_text(text)
    return load(home, environ)


def test_without_a_file(tmp_path: Path) -> None:
    config = load(tmp_path, {})
    assert config.profiles == {}
    assert (config.gateway.mode, config.gateway.tool_limit, config.gateway.acquire) == ("auto", 60, True)


def test_profiles(tmp_path: Path) -> None:
    text = """
    [gateway]
    mode = "all"
    [profiles.office]
    servers = ["files", "sheets-*"]
    tool_limit = 5
    [profiles."2"]
    """
    config = read(tmp_path, text)
    assert config.gateway.mode == "all"
    assert config.profiles == {"office": Profile(servers=("files", "sheets-*"), tool_limit=5), "2": Profile()}
    assert config.profiles["2"].mode is None


def test_a_variable_changes_a_field_of_a_profile_that_is_written(tmp_path: Path) -> None:
    environ = {
        "VSM_MCP_PROFILES_MY_TEAM_MODE": "search",
        "VSM_MCP_PROFILES_MY_TEAM_TOOL_LIMIT": "3",
        "VSM_MCP_PROFILES_MY_TEAM_TOOLS": "a__*, b__*",
        "VSM_MCP_PROFILES_MY_TEAM_PLAIN_NAMES": "true",
        "VSM_MCP_PROFILES_OTHER_MODE": "all",
        "VSM_MCP_GATEWAY_TOOL_LIMIT": "9",
    }
    config = read(tmp_path, "[profiles.my-team]\nmode = 'all'", **environ)
    expected = Profile(mode="search", tool_limit=3, tools=("a__*", "b__*"), plain_names=True)
    assert config.profiles == {"my-team": expected}
    assert config.gateway.tool_limit == 9
    assert variable("profiles.my-team", "deny_tools") == "VSM_MCP_PROFILES_MY_TEAM_DENY_TOOLS"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[gateway]\nmode = 'some'", r"\[gateway\] mode is 'some'"),
        ("[gateway]\nhidden_prompts = 'strip'", r"\[gateway\] hidden_prompts is 'strip'"),
        ("[policy]\nchanged_items = 'freeze'", r"\[policy\] changed_items is 'freeze'"),
        ("[policy]\nnew_items = 'serve'", r"\[policy\] new_items is 'serve'"),
        ("[policy]\nchanged_resources = ''", r"\[policy\] changed_resources is ''"),
        ("[policy]\nnew_resources = 'yes'", r"\[policy\] new_resources is 'yes'"),
        ("[runtime]\nrelist_seconds = -1", r"\[runtime\] .*relist_seconds"),
        ("[profiles.x]\nmode = 'some'", r"\[profiles.x\] mode is 'some'"),
        ("[profiles.x]\ntool_limit = -1", r"\[profiles.x\] tool_limit is -1"),
        ("[gateway]\ntool_limit = -1", r"\[gateway\] tool_limit is -1"),
        ("[profiles.x]\nsevers = []", r"\[profiles.x\] .*severs"),
        ("[profiles.x]\nservers = 'a'", r"\[profiles.x\] .*array"),
        ("[profiles.Upper]", "Upper"),
        ("[profiles.a_b]", "a_b"),
        ("[profiles.'../x']", r"\.\./x"),
        (f"[profiles.{'x' * 33}]", "x" * 33),
        ("[profiles]\nx = 1", r"profiles.x is no table"),
        ("profiles = 1", "profiles is no table"),
        ("gateway = 1", "gateway is no table"),
        ("[profile.x]", r"unknown section \[profile\]"),
        ("[permissions.browser]", r"\[permissions.browser\] is built in"),
        ("[permissions.x]\nnamed_paths = 'some'", r"\[permissions.x\] named_paths is 'some'"),
        ("[permissions.x]\npaths = ['notes']", r"\[permissions.x\] paths: 'notes' is not absolute"),
        ("[permissions.x]\npaths = ['./a/../../b']", r"\[permissions.x\] paths: .* leads out"),
        ("[permissions.x]\nprocesses = 0", r"\[permissions.x\] .*processes"),
        ("[permissions.x]\nnetwork = true", r"\[permissions.x\] .*network"),
        ("[vetting]\nrequired = ['advisory']", r"\[vetting\] required"),
        ("[vetting]\nyoung_days = -1", r"\[vetting\] young_days"),
        ("[vetting]\nsource_timeout_seconds = 0", r"\[vetting\] .*source_timeout_seconds"),
        ("[vetting.advisories]\nstale_days = -0.5", r"\[vetting.advisories\] stale_days"),
        ("[vetting.signatures]\nkeys = 'one.json'", r"keys"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        read(tmp_path, text)
    assert raised.value.hint


def test_a_variable_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="VSM_MCP_PROFILES_X_TOOL_LIMIT"):
        read(tmp_path, "[profiles.x]", VSM_MCP_PROFILES_X_TOOL_LIMIT="many")
    with pytest.raises(ConfigError, match=r"\[profiles.x\] mode"):
        read(tmp_path, "[profiles.x]", VSM_MCP_PROFILES_X_MODE="many")


def test_permission_profiles(tmp_path: Path) -> None:
    assert set(load(tmp_path, {}).permissions) == {"none", "read-only", "project", "browser"}
    text = '[permissions.notes]\npaths = ["/data/notes:rw", "./docs"]\nhosts = ["example.com"]\nprocesses = 9'
    notes = read(tmp_path, text, VSM_MCP_PERMISSIONS_NOTES_MEMORY_BYTES="1000").permissions["notes"]
    assert notes.granted() == (("/data/notes", True), ("./docs", False))
    assert notes.limits() == {"processes": 9, "memory_bytes": 1000}
    assert notes.wants_project


def test_how_candidates_are_weighed_and_what_they_must_meet(tmp_path: Path) -> None:
    text = """
    [appraisal]
    priority = "performance_critical"
    licences = ["MIT", "BSD-*"]
    offline = true
    [appraisal.weights]
    security = 3
    adoption = 0.5
    """
    found = read(tmp_path, text, VSM_MCP_APPRAISAL_NO_KEY="true").appraisal
    assert (found.priority, found.licences, found.offline) == ("performance_critical", ("MIT", "BSD-*"), True)
    assert (found.no_key, found.no_network, found.runtime) == (True, False, False)
    assert found.weights == {"security": 3.0, "adoption": 0.5}
    other = read(tmp_path, text, VSM_MCP_APPRAISAL_WEIGHTS="licence = 1, capability=0.25,").appraisal
    assert other.weights == {"licence": 1.0, "capability": 0.25}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("priority = 'speed'", "priority is 'speed'"),
        ("[appraisal.weights]\nsecurity = -0.1", "the weight of security is -0.1"),
        ("[appraisal.weights]\nsecurity = nan", "the weight of security is nan"),
        ("[appraisal.weights]\nsecurity = inf", "the weight of security is inf"),
        ("[appraisal.weights]\nsecurity = 'much'", "float"),
        ("licences = 'MIT'", "licences"),
    ],
)
def test_a_weighing_that_cannot_be_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read(tmp_path, f"[appraisal]\n{text}")


@pytest.mark.parametrize("text", ["licence", "licence=", "licence=much", "licence=1=2"])
def test_weights_of_a_variable_that_cannot_be_read_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="VSM_MCP_APPRAISAL_WEIGHTS"):
        read(tmp_path, "", VSM_MCP_APPRAISAL_WEIGHTS=text)


def test_a_section_below_a_section(tmp_path: Path) -> None:
    (tmp_path / "vsm-mcp.toml").write_text(
        '[discovery]\ncache_seconds = 5.0\n[discovery.github]\napi = "http://a"\nread_best = 2\n'
    )
    found = load(tmp_path, {"VSM_MCP_DISCOVERY_GITHUB_READ_BEST": "3"}).discovery
    assert (found.cache_seconds, found.github.api, found.github.read_best) == (5.0, "http://a", 3)
    assert found.github.lists == Config(home=tmp_path).discovery.github.lists


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[discovery]\ngithub = 3\n", "github"),
        ("[discovery.github]\napu = 3\n", "apu"),
        ("[discovery.github]\nread_best = -1\n", "read_best"),
    ],
)
def test_a_section_below_a_section_that_cannot_be_used(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "vsm-mcp.toml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, {})
