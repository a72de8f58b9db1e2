"""``cluster secrets`` and ``cluster kubeconfig`` of a k3s layer, with the real OpenSSL."""

import json
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from support.command import Host
from support.daemon import Daemon, loopback_settings, write_settings
from support.repositories import git
from support.secrets_of import bundle_of, k3s_bundle_of
from support.tls import openssl
from support.waiting import wait_until

from iluvatar_pxe.layers.ainur.bundle import K3sBundle, dump_k3s_bundle, full_token, load_k3s_bundle
from iluvatar_pxe.layers.arda.bundle import dump_bundle
from iluvatar_pxe.values import replace

HOSTED = {"fleet": {"source": "hosted"}}
BEGUN = datetime(2026, 11, 29, tzinfo=UTC)
A, B = (replace(k3s_bundle_of(seed, BEGUN), root=None) for seed in "ab")


def as_a_server_has_them(bundle: K3sBundle) -> str:
    """Return the file that is made on a server, whose tokens are full ones."""
    server, agent = full_token(bundle, "server"), full_token(bundle, "node")
    return dump_k3s_bundle(replace(bundle, server_token=server, agent_token=agent))


def imported(host: Host, text: str, layer: str = "ainur") -> tuple[int, str]:
    """Import secrets; return the exit status, and all that is said."""
    file = host.directory / "in.yaml"
    file.write_text(text)
    answer = host.run("cluster", "secrets", "import", layer, str(file))
    return answer.status, answer.output + answer.error


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path)
    write_settings(made.config, loopback_settings(made.state) | HOSTED)
    made.run("fleet", "init")
    return made


@pytest.fixture(params=["daemon", "alone"])
def either(request: pytest.FixtureRequest, host: Host) -> Iterator[Host]:
    """A host whose daemon runs, and one whose daemon does not."""
    if request.param == "alone":
        yield host
        return
    with Daemon(host.directory, HOSTED) as daemon:
        yield host
        assert A.server_token not in str(daemon.log)


def test_secrets_of_a_server_are_imported_and_exported_again(either: Host) -> None:
    told = "ainur has these secrets, sealed in the fleet's repository.\n"
    assert imported(either, as_a_server_has_them(A)) == (0, told)
    file = either.directory / "out.yaml"
    answer = either.run("cluster", "secrets", "export", "ainur", str(file))
    assert (answer.error, answer.status) == ("", 0)
    assert load_k3s_bundle(file.read_text()) == A
    assert imported(either, file.read_text()) == (0, told)
    committed = git(either.state / "git/fleet.git", "show", "main:clusters/ainur.secrets.age")
    assert committed.startswith("-----BEGIN AGE ENCRYPTED FILE-----")


def test_an_import_that_does_not_fit_is_refused_and_changes_nothing(host: Host) -> None:
    repository = host.state / "git/fleet.git"
    tip = git(repository, "rev-parse", "main")
    mixed = replace(A, client=replace(A.client, key=B.client.key))
    strange = replace(A, server_token=full_token(B, "server"))
    for text, layer, why in (
        (
            dump_k3s_bundle(mixed),
            "ainur",
            "the secrets are refused: tls/client-ca: its key is not the key of",
        ),
        (
            dump_k3s_bundle(strange),
            "ainur",
            "the secrets are refused: token: is the token of another cluster",
        ),
        (
            dump_k3s_bundle(A),
            "arda",
            "arda: the fleet has no layer of this name and of kind k3s; its layers of",
        ),
        (
            dump_bundle(bundle_of("a", BEGUN)),
            "ainur",
            "ainur: the fleet has no layer of this name and of kind t",
        ),
    ):
        status, said = imported(host, text, layer)
        assert status == 1
        assert said.startswith(f"iluvatar-pxe: {why}")
        assert A.server_token not in said
        assert B.server_token not in said
    assert git(repository, "rev-parse", "main") == tip
    assert imported(host, dump_k3s_bundle(A))[0] == 0
    assert "ainur: has other secrets already; to give it these" in imported(host, dump_k3s_bundle(B))[1]


def test_a_kubeconfig_is_what_openssl_takes_for_an_administrator_of_the_cluster(host: Host) -> None:
    imported(host, dump_k3s_bundle(A))
    file = host.directory / "config"
    answer = host.run("cluster", "kubeconfig", "ainur", str(file), "--ttl", "8h")
    assert (answer.error, answer.status) == ("", 0)
    assert answer.lines == [f"{file}: its current context is that of ainur, valid for 8 h."]
    told = yaml.safe_load(file.read_text())
    (cluster,), (user,) = ([one[kind] for one in told[f"{kind}s"]] for kind in ("cluster", "user"))
    assert cluster["server"] == "https://api.ainur.lab.home.arpa:6443"
    assert b64decode(cluster["certificate-authority-data"]).decode() == A.server.crt
    for name, text in (
        ("crt", b64decode(user["client-certificate-data"]).decode()),
        ("key", b64decode(user["client-key-data"]).decode()),
        ("ca", A.client.crt),
    ):
        (host.directory / name).write_text(text)
    ca, crt, key = (str(host.directory / name) for name in ("ca", "crt", "key"))
    assert openssl("verify", "-purpose", "sslclient", "-no-CApath", "-CAfile", ca, crt) == f"{crt}: OK\n"
    assert openssl("pkey", "-in", key, "-pubout") == openssl("x509", "-in", crt, "-noout", "-pubkey")
    assert openssl("x509", "-in", crt, "-noout", "-subject") == "subject=O = system:masters, CN = admin\n"


def test_the_status_says_what_a_cluster_waits_for(host: Host) -> None:
    with Daemon(host.directory, HOSTED):
        answer = host.run("cluster", "status", "ainur")
        assert answer.status == 1
        assert answer.lines[0] == "ainur: waiting"
        assert "it has no secrets yet" in answer.output
        imported(host, dump_k3s_bundle(A))
        waits = "the fleet declares no server yet"
        wait_until(lambda: waits in host.run("cluster", "status", "ainur").output, "the daemon to look again")
        (cluster,) = json.loads(host.run("cluster", "status", "ainur", "--json").output)
        assert (cluster["state"], cluster["founder"], len(cluster["authorities"])) == ("waiting", None, 5)
        assert A.server_token not in str(cluster)


def test_what_cannot_be_recovered_is_told_before_anything_is_asked(host: Host) -> None:
    recover = ("cluster", "recover", "--layer")
    assert "no daemon listens there" in host.run(*recover, "ainur").error
    with Daemon(host.directory, HOSTED):
        nothing = "iluvatar-pxe: ainur: it has no secrets yet, so there is nothing to recover\n"
        wait_until(lambda: host.run(*recover, "ainur").error == nothing, "the daemon to look after the layer")
        answer = host.run(*recover, "arda")
        assert answer.error == "iluvatar-pxe: arda: is no k3s cluster that this daemon looks after\n"
        imported(host, dump_k3s_bundle(A))
        founder = "ainur: nothing is done: it has no founder yet: the first server that asks for its secrets becomes it.\n"
        wait_until(lambda: host.run(*recover, "ainur").output == founder, "the daemon to know the secrets")


def test_what_talos_alone_has_is_refused_in_words(host: Host) -> None:
    for text in ("", dump_k3s_bundle(A)):
        imported(host, text)
        answer = host.run("cluster", "talosconfig", "ainur", "-")
        assert answer.status == 1
        assert answer.error == (
            "iluvatar-pxe: ainur: the fleet has no layer of this name and of kind talos; its layers of kind talos: arda\n"
        )


def test_an_upgrade_is_of_a_founded_cluster_of_k3s(host: Host) -> None:
    with Daemon(host.directory, HOSTED):
        for layer, why in {
            "ainur": "is not founded, so there is nothing to upgrade",
            "arda": "is a layer of Talos: run talosctl upgrade-k8s",
            "none": "layers/none.yaml: there is no layer of kind k3s",
        }.items():
            answer = host.run("cluster", "upgrade", "--layer", layer)
            assert (answer.status, why in answer.error) == (1, True), answer.error
