"""``cluster secrets``, ``talosconfig`` and ``kubeconfig``, through a daemon and without one, with the real kubectl."""

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.command import Host, finished
from support.daemon import HERE, Daemon, loopback_settings, write_settings
from support.repositories import Person, git
from support.secrets_of import bundle_of
from support.waiting import PATIENCE, wait_until

from iluvatar_pxe.cli.cluster.client_files import kubeconfig_of, talosconfig_of
from iluvatar_pxe.layers.arda.bundle import dump_bundle
from iluvatar_pxe.layers.client_files import load_client_file
from iluvatar_pxe.values import replace

HOSTED = {"fleet": {"source": "hosted"}}
BEGUN = datetime(2026, 11, 29, tzinfo=UTC)
A, B = (bundle_of(seed, BEGUN) for seed in "ab")
MIXED = replace(A, os=replace(A.os, key=B.os.key))
MACHINE = "match: {macs: ['52:54:00:00:00:01']}\nlayer: arda\nrole: controlplane\naddress: 127.9.0.7\nconfig: configs/one.yaml\n"


def with_secrets(host: Host) -> Host:
    """Give the cluster secrets that it has elsewhere, and declare a control plane."""
    person = Person(host.directory / "person", str(host.state / "git/fleet.git"))
    person.commit({"machines/arda-01.yaml": MACHINE, "configs/one.yaml": "machine: {}\n"})
    person.push()
    answer = host.run("cluster", "secrets", "import", "arda", str(written(host, dump_bundle(A))))
    assert (answer.error, answer.status) == ("", 0)
    assert answer.lines == ["arda has these secrets, sealed in the fleet's repository."]
    return host


def written(host: Host, text: str) -> Path:
    file = host.directory / "secrets.yaml"
    file.write_text(text)
    return file


@pytest.fixture(params=["daemon", "alone"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    write_settings(made.config, loopback_settings(made.state) | HOSTED)
    if request.param == "alone":
        made.run("fleet", "init")
        yield with_secrets(made)
        return
    with Daemon(tmp_path, HOSTED) as daemon:
        yield with_secrets(made)
        assert A.cluster_secret not in str(daemon.log)


def test_secrets_are_exported_as_they_were_imported_and_closed_to_others(host: Host) -> None:
    file = host.directory / "out.yaml"
    answer = host.run("cluster", "secrets", "export", "arda", str(file))
    assert (answer.error, answer.status) == ("", 0)
    assert answer.lines == [
        f"{file}: has the secrets of arda in clear; keep it where nobody else can read it."
    ]
    assert file.read_text() == dump_bundle(A)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = host.run("cluster", "secrets", "export", "arda", str(file))
    assert (again.status, again.error) == (
        2,
        f"iluvatar-pxe: {file}: exists already; name a new file, or remove it\n",
    )
    link, inside = host.directory / "link.yaml", host.directory / "none" / "out.yaml"
    link.symlink_to(inside)
    for place, why in ((link, "exists already"), (inside, f"there is no directory {inside.parent}; make it")):
        refused = host.run("cluster", "secrets", "export", "arda", str(place))
        assert refused.error.startswith(f"iluvatar-pxe: {place}: {why}")
        assert not inside.parent.exists()
    assert host.run("cluster", "secrets", "export", "arda", "-").output == dump_bundle(A)


def test_an_import_that_would_replace_secrets_or_does_not_fit_is_refused(host: Host) -> None:
    tip = git(host.state / "git/fleet.git", "rev-parse", "main")
    for bundle, why in (
        (B, "arda: has other secrets already; to give it these, first reset its machines, and remove"),
        (MIXED, "the secrets are refused: certs.os: its key is not the key of its certificate; export"),
    ):
        answer = host.run("cluster", "secrets", "import", "arda", str(written(host, dump_bundle(bundle))))
        assert answer.status == 1
        assert answer.error.startswith(f"iluvatar-pxe: {why}")
        assert B.cluster_secret not in answer.error
    answer = host.run("cluster", "secrets", "import", "arda", str(written(host, "junk: [")))
    assert answer.error.startswith("iluvatar-pxe: the secrets are refused: junk: must be text; give a file")
    assert git(host.state / "git/fleet.git", "rev-parse", "main") == tip
    committed = git(host.state / "git/fleet.git", "show", "main:clusters/arda.secrets.age")
    assert committed.startswith("-----BEGIN AGE ENCRYPTED FILE-----")


def test_a_layer_that_is_none_is_told(host: Host) -> None:
    for arguments in (("secrets", "export", "mordor", "-"), ("kubeconfig", "mordor", "-")):
        answer = host.run("cluster", *arguments)
        assert answer.status == 1
        assert answer.error.startswith(
            "iluvatar-pxe: mordor: the fleet has no layer of this name; its layers: "
        )


def test_the_status_says_what_a_cluster_waits_for(tmp_path: Path) -> None:
    host = Host(tmp_path)
    write_settings(host.config, loopback_settings(host.state) | HOSTED)
    alone = host.run("cluster", "status")
    assert (alone.status, "no daemon listens there; start it" in alone.error) == (1, True)
    with Daemon(tmp_path, HOSTED):
        before = host.run("cluster", "status")
        assert before.status == 1
        assert before.lines[0] == "arda: waiting"
        with_secrets(host)
        waits = "arda-01: 127.9.0.7: Talos cannot be reached: Connection refused; switch it on"
        wait_until(lambda: waits in host.run("check").output, "the daemon to ask the control plane")
        answer = host.run("cluster", "status", "arda", "--json")
        (cluster,) = json.loads(answer.output)
        assert (cluster["layer"], cluster["state"], cluster["founder"]) == ("arda", "waiting", None)
        assert waits in cluster["why"]
        assert [machine["address"] for machine in cluster["machines"]] == ["127.9.0.7"]
        unknown = host.run("cluster", "status", "mordor")
        assert (unknown.status, unknown.error) == (
            1,
            "iluvatar-pxe: mordor: the daemon founds no cluster of this name; it knows: arda, ainur\n",
        )


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_reads_what_is_merged_into_its_file(host: Host) -> None:
    file = host.directory / ".kube"
    answer = host.run("cluster", "kubeconfig", "arda", str(file / "config"), "--ttl", "8h")
    assert (answer.error, answer.status) == ("", 0)
    assert answer.lines == [f"{file}/config: its current context is that of arda, valid for 8 h."]
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (file, file / "config")]
    assert modes == [0o700, 0o600]
    command = ["kubectl", "--kubeconfig", f"{file}/config", "config"]
    subprocess.run([*command, "set-cluster", "other", "--server=https://other:6443"], check=True, timeout=60)
    assert (
        host.run("cluster", "kubeconfig", "arda", str(file / "config")).lines[0].endswith("valid for 1 day.")
    )
    view = subprocess.run([*command, "view", "-o", "json"], check=True, timeout=60, capture_output=True)
    seen = json.loads(view.stdout)
    assert {one["name"]: one["cluster"]["server"] for one in seen["clusters"]} == {
        "arda": "https://api.arda.lab.home.arpa:6443",
        "other": "https://other:6443",
    }
    assert [one["name"] for one in seen["users"]] == ["admin@arda"]
    assert seen["current-context"] == "admin@arda"


def test_a_talosconfig_names_the_control_planes_and_is_merged(host: Host) -> None:
    file = host.directory / "talosconfig"
    file.write_text("context: work\ncontexts: {work: {endpoints: [10.1.1.1]}}\n")
    answer = host.run("cluster", "talosconfig", "arda", str(file), "--ttl", "30m")
    assert (answer.error, answer.status) == ("", 0)
    merged = load_client_file(file.read_text(), "")
    assert merged["context"] == "arda"
    assert merged["contexts"]["arda"]["endpoints"] == ["127.9.0.7"]
    assert merged["contexts"]["work"] == {"endpoints": ["10.1.1.1"]}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("contexts: 7\n")
    refused = host.run("cluster", "talosconfig", "arda", str(file))
    assert refused.status == 1
    assert refused.error == (
        f"iluvatar-pxe: {file}: talosconfig: contexts: is no mapping; correct it, or give another file\n"
    )
    assert file.read_text() == "contexts: 7\n"


@pytest.mark.parametrize("ttl", ["forever", "366d", "0s", "59s"])
def test_what_is_no_lifetime_is_refused(tmp_path: Path, ttl: str) -> None:
    answer = Host(tmp_path).run("cluster", "kubeconfig", "arda", "-", "--ttl", ttl)
    assert answer.status == 2
    assert f"{ttl!r} is not a duration of at least 1 min and at most 365 days" in answer.error


@pytest.mark.parametrize(
    "arguments",
    [("secrets", "export", "arda", "-"), ("kubeconfig", "arda", "-")],
)
def test_no_key_is_shown_on_a_terminal(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    host = Host(tmp_path)
    ours, its = os.openpty()
    try:
        ended = subprocess.run(
            [*HERE, "cluster", *arguments, "--config", str(host.config)],
            stdin=subprocess.DEVNULL,
            stdout=its,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    finally:
        os.close(ours)
        os.close(its)
    assert (ended.returncode, ended.stderr) == (
        2,
        "iluvatar-pxe: standard output is a terminal, which would show private keys; name a file, or pipe it\n",
    )


def test_secrets_are_imported_from_a_pipe(tmp_path: Path) -> None:
    host = Host(tmp_path)
    write_settings(host.config, loopback_settings(host.state) | HOSTED)
    host.run("fleet", "init")
    process = host.start("cluster", "secrets", "import", "arda", "-", stdin=subprocess.PIPE)
    assert process.stdin
    process.stdin.write(dump_bundle(A))
    answer = finished(process)
    assert answer.error == ""
    link, inside = host.directory / "link.yaml", host.directory / "none" / "out.yaml"
    link.symlink_to(inside)
    for place, why in ((link, "exists already"), (inside, f"there is no directory {inside.parent}; make it")):
        refused = host.run("cluster", "secrets", "export", "arda", str(place))
        assert refused.error.startswith(f"iluvatar-pxe: {place}: {why}")
        assert not inside.parent.exists()
    assert host.run("cluster", "secrets", "export", "arda", "-").output == dump_bundle(A)


def test_a_fleet_that_is_a_directory_has_no_place_for_secrets(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.write("layers/arda.yaml", "kind: talos\ntalos: {version: v1.13.9, schematic: abc}\n")
    answer = host.run("cluster", "secrets", "import", "arda", str(written(host, dump_bundle(A))))
    assert answer.status == 1
    assert "has none that could be read; set [fleet] source" in answer.error


def test_files_are_where_the_ordinary_programs_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    one, two = tmp_path / "one", tmp_path / "two"
    assert talosconfig_of({}) == tmp_path / ".talos" / "config"
    assert talosconfig_of({"TALOSCONFIG": "/t"}) == Path("/t")
    assert kubeconfig_of({}) == kubeconfig_of({"KUBECONFIG": ""}) == tmp_path / ".kube" / "config"
    assert kubeconfig_of({"KUBECONFIG": f"{one}"}) == one
    assert kubeconfig_of({"KUBECONFIG": f":{one}:{two}:"}) == two, "where none exists, kubectl makes the last"
    one.touch()
    assert kubeconfig_of({"KUBECONFIG": f"{two}:{one}"}) == one


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize("existing", ["", "one", "two", "one two"])
def test_kubectl_itself_writes_the_same_file(tmp_path: Path, existing: str) -> None:
    for name in existing.split():
        (tmp_path / name).write_text("apiVersion: v1\nkind: Config\n")
    environ = {**os.environ, "HOME": str(tmp_path), "KUBECONFIG": f"{tmp_path}/one:{tmp_path}/two"}
    ours = kubeconfig_of(environ)
    command = ["kubectl", "config", "set-cluster", "new", "--server=https://new:6443"]
    subprocess.run(command, env=environ, check=True, timeout=60, capture_output=True)
    found = [file for file in tmp_path.iterdir() if file.is_file() and "https://new" in file.read_text()]
    assert found == [ours]
