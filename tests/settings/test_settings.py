"""Settings: what the file and the environment say, and one line for everything they cannot say."""

import json
import os
import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from iluvatar_pxe.errors import SettingsError
from iluvatar_pxe.settings.model import (
    Settings,
    default_control_socket,
    default_state_directory,
    load_settings,
    parse_settings,
)
from iluvatar_pxe.settings.upstream import Upstream

EVERY_KEY = """
[network]
interfaces = ["eth0", "eth1"]
dhcp = "off"
[dhcp]
port = 6767
pxe_port = 4012
client_port = 6868
[tftp]
port = 6969
port_range = [50000, 50010]
max_blksize = 1024
max_windowsize = 8
[http]
port = 8081
allow = ["local", "10.0.0.0/8"]
[dns]
port = 5353
enabled = false
upstream = ["tls://1.1.1.1#one.one.one.one", "auto"]
forward = {"fritz.box" = "192.168.178.1", "Lan." = ["192.168.1.1", "[fd00::1]:54"]}
allow = ["10.0.0.0/8"]
[ntp]
port = 1123
enabled = false
[talos]
event_port = 4333
kernel_log_port = 4334
[database]
url = "sqlite:////srv/inventory.db"
[fleet]
source = "/srv/fleet"
[assets]
directory = "/srv/assets"
fetch = false
rate_limit = "2MB/s"
peers = ["192.168.1.11", "192.168.1.12:8081"]
[state]
directory = "/srv/state"
[control]
socket = "/srv/control.sock"
[log]
level = "debug"
format = "json"
"""


def parse(text: str, **environ: str) -> Settings:
    return parse_settings(
        text, "config.toml", {f"ILUVATAR_PXE_{key}": value for key, value in environ.items()}
    )


def fault(text: str, **environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        parse(text, **environ)
    line = str(caught.value)
    assert line.isprintable(), "one line"
    return line


def test_every_key_has_the_documented_default() -> None:
    settings = parse("")
    assert settings.model_dump() == {
        "network": {"interfaces": ("auto",), "dhcp": "proxy"},
        "dhcp": {"port": 67, "pxe_port": 4011, "client_port": 68},
        "tftp": {"port": 69, "port_range": (0, 0), "max_blksize": 1468, "max_windowsize": 64},
        "http": {
            "port": 8080,
            "allow": ("local",),
            "tls_port": 8443,
            "tls_certificate": None,
            "tls_key": None,
        },
        "dns": {"port": 53, "enabled": True, "upstream": ("auto",), "forward": {}, "allow": ("local",)},
        "ntp": {"port": 123, "enabled": True},
        "talos": {"event_port": 3333, "kernel_log_port": 3334},
        "database": {"url": None},
        "fleet": {
            "source": "hosted",
            "branch": "main",
            "poll": 30.0,
            "read_only": False,
            "token_file": None,
            "ssh_key": None,
            "ca_file": None,
            "webhook_secret_file": None,
            "mirror": None,
        },
        "git": {"anonymous_read": False, "max_push": 512},
        "assets": {"directory": None, "fetch": True, "rate_limit": None, "peers": ("auto",)},
        "state": {"directory": None},
        "control": {"socket": None},
        "power": {"commands": Path("/etc/iluvatar-pxe/power")},
        "simulate": {"as_real": False},
        "log": {"level": "info", "format": "auto"},
    }


def test_the_file_sets_every_key() -> None:
    settings = parse(EVERY_KEY)
    assert settings.network.interfaces == ("eth0", "eth1")
    assert settings.dhcp.model_dump() == {"port": 6767, "pxe_port": 4012, "client_port": 6868}
    assert settings.tftp.port_range == (50000, 50010)
    assert settings.http.allow == ("local", IPv4Network("10.0.0.0/8"))
    assert (settings.dns.port, settings.dns.enabled) == (5353, False)
    assert settings.dns.upstream == (
        Upstream(IPv4Address("1.1.1.1"), 853, tls=True, name="one.one.one.one"),
        "auto",
    )
    assert settings.dns.forward == {
        "fritz.box": (Upstream(IPv4Address("192.168.178.1")),),
        "lan": (Upstream(IPv4Address("192.168.1.1")), Upstream(IPv6Address("fd00::1"), 54)),
    }
    assert settings.dns.allow == (IPv4Network("10.0.0.0/8"),)
    assert settings.ntp.model_dump() == {"port": 1123, "enabled": False}
    assert settings.talos.model_dump() == {"event_port": 4333, "kernel_log_port": 4334}
    assert settings.database_url == "sqlite:////srv/inventory.db"
    assert settings.fleet_directory == Path("/srv/fleet")
    assert settings.assets_directory == Path("/srv/assets")
    assert settings.assets.rate_limit == 2e6
    assert settings.state_directory == Path("/srv/state")
    assert settings.control_socket == Path("/srv/control.sock")
    assert settings.log.level == "debug"


def test_directories_follow_the_state_directory() -> None:
    settings = parse('[state]\ndirectory = "/srv/state"')
    assert settings.assets_directory == Path("/srv/state/assets")
    assert settings.database_url == "sqlite:////srv/state/inventory.db"


@pytest.mark.parametrize(
    ("environ", "is_root", "expected"),
    [
        ({}, True, "/var/lib/iluvatar-pxe"),
        ({"XDG_STATE_HOME": "/x"}, True, "/var/lib/iluvatar-pxe"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/home/a"}, False, "/x/iluvatar-pxe"),
        ({"HOME": "/home/a"}, False, "/home/a/.local/state/iluvatar-pxe"),
        ({}, False, "/.local/state/iluvatar-pxe"),
        ({"STATE_DIRECTORY": "/srv/x", "HOME": "/home/a"}, False, "/srv/x"),
    ],
)
def test_the_default_state_directory(environ: Mapping[str, str], *, is_root: bool, expected: str) -> None:
    assert default_state_directory(environ, is_root=is_root) == Path(expected)


def test_the_default_control_socket() -> None:
    state = Path("/srv/state")
    assert default_control_socket({}, state, is_root=True) == Path("/run/iluvatar-pxe/control.sock")
    assert default_control_socket({}, state, is_root=False) == Path("/srv/state/control.sock")
    given = {"RUNTIME_DIRECTORY": "/run/x"}
    assert default_control_socket(given, state, is_root=False) == Path("/run/x/control.sock")


def test_the_environment_beats_the_file() -> None:
    settings = parse(
        EVERY_KEY,
        HTTP__PORT="8888",
        NETWORK__INTERFACES='["lo"]',
        TFTP__PORT_RANGE="[6000, 6001]",
        LOG__LEVEL="error",
        HTTP__ALLOW='["192.168.0.0/16"]',
        DNS__PORT="10053",
        DNS__ENABLED="true",
        DNS__UPSTREAM="[]",
    )
    assert settings.http.port == 8888
    assert settings.network.interfaces == ("lo",)
    assert settings.tftp.port_range == (6000, 6001)
    assert settings.log.level == "error"
    assert settings.http.allow == (IPv4Network("192.168.0.0/16"),)
    assert (settings.dns.port, settings.dns.enabled, settings.dns.upstream) == (10053, True, ())
    assert settings.tftp.port == 6969, "what the environment leaves alone stays"


def test_other_variables_are_not_read() -> None:
    environ = {"PATH": "/bin", "ILUVATAR_PXE_COLOUR": "blue", "XILUVATAR_PXE_HTTP__PORT": "1"}
    assert parse_settings("", "config.toml", environ) == Settings()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[http\n", r"config\.toml: not valid TOML: .*\(at line 1, column 6\); correct that line"),
        ("a = \n\n", r"config\.toml: not valid TOML: .*line 1.*; correct that line"),
        ("[http]\nport = 1\nport = 2\n", r"config\.toml: not valid TOML: .*line 3.*"),
        (f"a = {'9' * 5000}", r"config\.toml: not valid TOML: .*; correct that line"),
        (f"a = {'[' * 5000}", r"config\.toml: not valid TOML: .*recursion.*; correct that line"),
        ("[web]\n", r"config\.toml: web: no such setting; remove it or correct its name .*"),
        ("[http]\nports = 1\n", r"config\.toml: http\.ports: no such setting; did you mean port\?"),
        ("[htp]\nport = 1\n", r"config\.toml: htp: no such setting; did you mean http\?"),
        ('["a\\nb"]\n', r"config\.toml: a\\nb: no such setting; remove it .*"),
        ("http = 1\n", r"config\.toml: http: .* section .*, but it is 1; correct it"),
        ('[http]\nport = "x"\n', r'config\.toml: http\.port: .*valid integer.*, but it is "x"; correct it'),
        ("[http]\nport = true\n", r"config\.toml: http\.port: .*whole number, but it is true; correct it"),
        ("[http]\nport = 0\n", r"config\.toml: http\.port: .*greater than or equal to 1, but it is 0; .*"),
        ("[dhcp]\nport = 65536\n", r"config\.toml: dhcp\.port: .*less than or equal to 65535, but .*"),
        (
            "[tftp]\nport_range = [9, 1]\n",
            r"config\.toml: tftp\.port_range: give \[first, last\] .*, but it is \[9, 1\]; .*",
        ),
        ("[tftp]\nport_range = [0, 9]\n", r"config\.toml: tftp\.port_range: give \[first, last\] .*"),
        (
            "[assets]\nrate_limit = 2\n",
            r'config\.toml: assets\.rate_limit: .* such as "500kB/s" .*, but it is 2; .*',
        ),
        ('[assets]\nrate_limit = "0MB/s"\n', r"config\.toml: assets\.rate_limit: .*rate.*"),
        (
            '[assets]\npeers = ["pi2"]\n',
            r'config\.toml: assets\.peers: .*address such as .*, but it is "pi2"; .*',
        ),
        *(
            (f'[assets]\npeers = ["10.0.0.1:{port}"]\n', r"config\.toml: assets\.peers: .*address such as .*")
            for port in ("0", "65536", "99999", "", "٣")
        ),
        ("[tftp]\nport_range = [1]\n", r"config\.toml: tftp\.port_range: .*required.*"),
        ("[tftp]\nport_range = [1, 2, 3]\n", r"config\.toml: tftp\.port_range: .*at most 2 items.*"),
        (
            "[tftp]\nport_range = [1, 70000]\n",
            r"config\.toml: tftp\.port_range: .*65535, but it is 70000; .*",
        ),
        ("[tftp]\nmax_blksize = 7\n", r"config\.toml: tftp\.max_blksize: .*8, but it is 7; correct it"),
        ('[network]\ninterfaces = "eth0"\n', r'config\.toml: network\.interfaces: .*list such as \["a", .*'),
        (
            "[network]\ninterfaces = []\n",
            r"config\.toml: network\.interfaces: .*name an interface, or auto, but .*",
        ),
        ("[network]\ninterfaces = [1]\n", r"config\.toml: network\.interfaces: .*string, but it is 1; .*"),
        ('[network]\ninterfaces = ["a/b"]\n', r"config\.toml: network\.interfaces: .*interface's name .*"),
        ('[network]\ninterfaces = ["abcdefghijklmnop"]\n', r"config\.toml: network\.interfaces: .*15 char.*"),
        (
            '[network]\ndhcp = "authoritative"\n',
            r"config\.toml: network\.dhcp: .*'proxy', 'observe' or 'off', but .*",
        ),
        (
            '[http]\nallow = ["10.0.0.0/40"]\n',
            r"config\.toml: http\.allow: .*such as 192.168.1.0/24, but it is .*",
        ),
        (
            "[http]\nallow = [false]\n",
            r"config\.toml: http\.allow: .*network such as .*, but it is false; .*",
        ),
        (
            '[http]\nallow = ["10.0.0.1/8"]\n',
            r"config\.toml: http\.allow: .*network such as .*, but it is .*",
        ),
        (
            '[dns]\nupstream = "1.1.1.1"\n',
            r'config\.toml: dns\.upstream: .*list such as .*, but it is "1.1.1.1"; .*',
        ),
        (
            '[dns]\nupstream = ["auto", "dns.google"]\n',
            r'config\.toml: dns\.upstream: .* not a name .*, but it is "dns.google"; .*',
        ),
        (
            "[dns]\nupstream = [{address = 1}]\n",
            r"config\.toml: dns\.upstream: a resolver is an address such as .*; .*",
        ),
        (
            '[dns]\nforward = {"a..b" = "192.168.1.1"}\n',
            r'config\.toml: dns\.forward: the left side should be a domain .*, but it is "a..b"; correct it',
        ),
        (
            '[dns]\nforward = {lan = ["router"]}\n',
            r"config\.toml: dns\.forward: a resolver is an address, not a name .*; correct it",
        ),
        (
            "[talos]\nevent_port = 3334\n",
            r"config\.toml: talos: event_port and kernel_log_port are the same; .*",
        ),
        ("[dns]\nforward = {lan = []}\n", r"config\.toml: dns\.forward: write at least one resolver .*"),
        *(
            (
                f"[dns]\nforward = {value}\n",
                r'config\.toml: dns\.forward: write domains .* such as \{"fritz.box" = .*',
            )
            for value in ('"192.168.1.1"', '["lan"]', "3")
        ),
        (
            '[dns]\nforward = {"LAN." = "192.168.1.1", lan = "192.168.1.3"}\n',
            r"config\.toml: dns\.forward: write lan once, with a list of its resolvers, .*; correct it",
        ),
        ("[dns]\nenabled = 3\n", r"config\.toml: dns\.enabled: .*boolean.*, but it is 3; correct it"),
        (
            '[state]\ndirectory = "a\\u0000b"\n',
            r"config\.toml: state\.directory: a path must not contain NUL, .*",
        ),
        ('[fleet]\nsource = "\\u0000"\n', r"config\.toml: fleet\.source: a path must not contain NUL, .*"),
        ('[log]\nlevel = "loud"\n', r"config\.toml: log\.level: .*'debug', 'info'.*, but it is \"loud\"; .*"),
        (
            "[log]\nlevel" + ".a" * 2000 + " = 1\n",
            r"config\.toml: log\.level: .*(nested too deeply|\{\"a\": .*); correct it",  # as Python's version has it
        ),
    ],
)
def test_a_fault_is_one_line_with_file_key_and_remedy(text: str, expected: str) -> None:
    line = fault(text)
    assert re.fullmatch(expected, line), line


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("HTTP__PORT", "x", r'ILUVATAR_PXE_HTTP__PORT: .*valid integer.*, but it is "x"; correct it'),
        ("HTTP__PORT", "", r'ILUVATAR_PXE_HTTP__PORT: .*, but it is ""; correct it'),
        ("HTTP__COLOUR", "x", r"ILUVATAR_PXE_HTTP__COLOUR: no such setting; remove it .*"),
        ("WEB__PORT", "1", r"ILUVATAR_PXE_WEB__PORT: no such setting; remove it .*"),
        ("NETWORK__INTERFACES", "eth0", r'ILUVATAR_PXE_NETWORK__INTERFACES: .*list such as \["a", "b"\], .*'),
        ("NETWORK__INTERFACES", '["eth0"', r"ILUVATAR_PXE_NETWORK__INTERFACES: .*list such as .*"),
        ("NETWORK__INTERFACES", "[" * 100_000, r"ILUVATAR_PXE_NETWORK__INTERFACES: .*list such as .*"),
        ("NETWORK__INTERFACES", '["\udcff"]', r"ILUVATAR_PXE_NETWORK__INTERFACES: .*"),
        ("TFTP__PORT_RANGE", "[2, 1]", r"ILUVATAR_PXE_TFTP__PORT_RANGE: give \[first, last\] .*"),
    ],
)
def test_a_faulty_variable_is_named(variable: str, value: str, expected: str) -> None:
    line = fault("", **{variable: value})
    assert re.fullmatch(expected, line), line


def test_the_files_own_fault_is_not_the_variables() -> None:
    assert fault("http = 1\n", HTTP__PORT="80").startswith("config.toml: http: ")


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"/none\.toml: no such file; create it or leave --config out$"):
        load_settings(tmp_path / "none.toml", {})


def test_the_default_file_may_be_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("iluvatar_pxe.settings.model.DEFAULT_FILE", tmp_path / "config.toml")
    assert load_settings(None, {}) == Settings()
    (tmp_path / "config.toml").write_text("[http]\nport = 81\n")
    assert load_settings(None, {}).http.port == 81


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (Path.mkdir, r"cannot be read: Is a directory; make it a readable UTF-8 file"),
        (
            lambda path: path.write_bytes(b"[http]\n# \xff\n"),
            r"cannot be read: .*utf-8.*; make it a readable UTF-8 file",
        ),
        (
            lambda path: path.symlink_to(path),
            r"cannot be read: .*symbolic links; make it a readable UTF-8 file",
        ),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, make: Any, expected: str) -> None:
    path = tmp_path / "config.toml"
    make(path)
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {})
    assert re.fullmatch(re.escape(f"{path}: ") + expected, str(caught.value)), str(caught.value)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf[http]\r\nport = 81\r\n")
    assert load_settings(path, {}).http.port == 81


def settings_or_one_line(text: str, environ: Mapping[str, str]) -> None:
    line = ""
    try:
        parse_settings(text, "config.toml", environ)
    except SettingsError as error:
        line = str(error)
    assert not line or line.isprintable()


SECTIONS = sorted(Settings.model_fields)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@hypothesis_settings(max_examples=300)
@given(st.text())
def test_any_text_is_settings_or_a_settings_error(text: str) -> None:
    settings_or_one_line(text, {})


@hypothesis_settings(max_examples=300)
@given(st.sampled_from(SECTIONS), st.data(), VALUES)
def test_any_value_of_any_key_is_settings_or_a_settings_error(
    section: str, data: st.DataObject, value: Any
) -> None:
    keys = sorted(type(getattr(Settings(), section)).model_fields)
    key = data.draw(st.sampled_from(keys) | st.text(), label="key")
    settings_or_one_line(f"[{section}]\n{json.dumps(key)} = {json.dumps(value)}\n", {})


@hypothesis_settings(max_examples=300)
@given(
    st.sampled_from(SECTIONS) | st.text(),
    st.sampled_from(["PORT", "INTERFACES", "ALLOW"]) | st.text(),
    st.binary(),
)
def test_any_variable_is_settings_or_a_settings_error(section: str, key: str, value: bytes) -> None:
    variable = f"ILUVATAR_PXE_{section.upper()}__{key}"
    settings_or_one_line("", {variable: os.fsdecode(value)})


@pytest.mark.parametrize(
    ("source", "repository"),
    [
        ("hosted", "/srv/git/fleet.git"),
        ("https://git.example.org/lab/fleet.git", "/srv/followed.git"),
        ("ssh://git@forge:2222/lab/fleet.git", "/srv/followed.git"),
        ("git@forge:lab/fleet.git", "/srv/followed.git"),
        ("file:///srv/fleet.git", "/srv/followed.git"),
        ("/srv/fleet", None),
        ("fleets/home", None),
        ("./git@forge:x", None),
    ],
)
def test_where_the_fleet_comes_from(source: str, repository: str | None) -> None:
    settings = parse(f'[state]\ndirectory = "/srv"\n[fleet]\nsource = "{source}"')
    assert settings.fleet_repository == (Path(repository) if repository else None)


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        (
            'source = "https://me:secret@git.example.org/x"',
            "fleet.source: a URL must not contain a password or a token; ",
        ),
        (
            'mirror = "https://me:secret@git.example.org/x"',
            "fleet.mirror: a URL must not contain a password or a token; ",
        ),
        ('branch = "../x"', "fleet.branch: input should be a branch's name such as main"),
        ('branch = "-x"', "fleet.branch: input should be a branch's name such as main"),
        ('branch = "x.lock"', "fleet.branch: input should be a branch's name such as main"),
        ('poll = "often"', 'fleet.poll: input should be a duration such as "30s" or "5m"'),
        ('poll = "0s"', 'fleet.poll: input should be a duration such as "30s" or "5m"'),
    ],
)
def test_what_is_wrong_about_a_repository(line: str, remedy: str) -> None:
    assert remedy in fault(f"[fleet]\n{line}")


@pytest.mark.parametrize("user", ["me:secret", "secret", ":secret", "secret:x-oauth-basic", "secret:"])
@pytest.mark.parametrize("scheme", ["https", "HTTPS", "http"])
def test_a_secret_in_a_url_is_refused_and_not_repeated(scheme: str, user: str) -> None:
    told = fault(f'[fleet]\nsource = "{scheme}://{user}@git.example.org/x"')
    assert "a password or a token; put it into [fleet] token_file" in told
    assert "secret" not in told


@pytest.mark.parametrize(("written", "seconds"), [('"30s"', 30), ('"5m"', 300), ('"2h"', 7200), ("45", 45)])
def test_lengths_of_time(written: str, seconds: float) -> None:
    assert parse(f"[fleet]\npoll = {written}").fleet.poll == seconds


def test_two_ports_and_two_files_belong_together() -> None:
    assert "port and tls_port are the same" in fault("[http]\nport = 8443")
    assert "tls_certificate and tls_key belong together" in fault('[http]\ntls_key = "/x"')
