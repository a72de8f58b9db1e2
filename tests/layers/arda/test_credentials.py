"""Client certificates are what Talos and Kubernetes ask for, as OpenSSL and real TLS handshakes see them."""

import base64
import json
import os
import re
import shutil
import ssl
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support.secrets_of import NOW, bundle_of, seeded
from support.tls import openssl

from iluvatar_pxe.errors import BundleError, OperationError
from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.arda.credentials import ApiRole, kubernetes_credentials, talos_credentials
from iluvatar_pxe.layers.arda.talosconfig import merge_talosconfig, talosconfig
from iluvatar_pxe.layers.client_files import dump_client_file, load_client_file
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.keys import standard_pem
from iluvatar_pxe.layers.kubeconfig import kubeconfig, merge_kubeconfig

BUNDLE = bundle_of("a")
DAY = timedelta(days=1)
FAKE = Credentials("ca", "crt", "key")


def talos(*roles: ApiRole, bundle: Bundle = BUNDLE, now: datetime = NOW) -> Credentials:
    return talos_credentials(bundle, roles or [ApiRole.ADMIN], DAY, now, seeded("client"))


def kubernetes(seed: str = "client", now: datetime = NOW) -> Credentials:
    return kubernetes_credentials(BUNDLE, DAY, now, seeded(seed))


def shown(credentials: Credentials, directory: Path) -> str:
    for name in ("ca", "crt", "key"):
        (directory / name).write_text(standard_pem(getattr(credentials, name)))
    at = ("-attime", str(int(NOW.timestamp())))
    verified = openssl(
        "verify", "-purpose", "sslclient", *at, "-CAfile", f"{directory}/ca", f"{directory}/crt"
    )
    assert verified.endswith(": OK\n")
    public = openssl("pkey", "-in", f"{directory}/key", "-pubout")
    assert openssl("x509", "-in", f"{directory}/crt", "-noout", "-pubkey") == public
    return openssl("x509", "-in", f"{directory}/crt", "-noout", "-text")


def test_openssl_sees_the_certificate_that_talos_api_takes(tmp_path: Path) -> None:
    text = shown(talos(), tmp_path)
    for part in (
        "Issuer: O = talos\n",
        "Subject: O = os:admin\n",
        "Public Key Algorithm: ED25519\n",
        "Signature Algorithm: ED25519\n",
        "Not Before: Dec  1 11:59:50 2026 GMT\n",
        "Not After : Dec  2 12:00:00 2026 GMT\n",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                TLS Web Client Authentication\n",
        "X509v3 Authority Key Identifier: \n",
    ):
        assert part in text
    assert "Basic Constraints" not in text
    assert "Subject Key Identifier" not in text
    assert talos().key.startswith("-----BEGIN ED25519 PRIVATE KEY-----\n")


def test_roles_are_the_organizations_each_once(tmp_path: Path) -> None:
    text = shown(talos(ApiRole.READER, ApiRole.ETCD_BACKUP, ApiRole.READER), tmp_path)
    assert "Subject: O = os:reader + O = os:etcd:backup\n" in text, "DER puts the shorter one first"


def test_openssl_sees_the_certificate_of_a_kubernetes_administrator(tmp_path: Path) -> None:
    text = shown(kubernetes(), tmp_path)
    for part in (
        "Issuer: O = kubernetes\n",
        "Subject: O = system:masters, CN = admin\n",
        "NIST CURVE: P-256",
        "Signature Algorithm: ecdsa-with-SHA256\n",
        "Not Before: Dec  1 11:59:50 2026 GMT\n",
        "X509v3 Key Usage: critical\n                Digital Signature, Key Encipherment\n",
        "X509v3 Extended Key Usage: \n                TLS Web Client Authentication\n",
        "X509v3 Authority Key Identifier: \n",
    ):
        assert part in text
    assert "Basic Constraints" not in text


def test_no_certificate_outlives_its_ca(tmp_path: Path) -> None:
    late = NOW + timedelta(hours=87600) - timedelta(minutes=5)
    credentials = talos(now=late)
    (tmp_path / "crt").write_text(credentials.crt)
    ends = [openssl("x509", "-in", f"{tmp_path}/crt", "-noout", "-enddate")]
    (tmp_path / "ca").write_text(credentials.ca)
    assert ends == [openssl("x509", "-in", f"{tmp_path}/ca", "-noout", "-enddate")]


def test_a_ca_that_has_ended_signs_nothing() -> None:
    with pytest.raises(BundleError, match="the cluster's CA ended at "):
        talos(now=NOW + 4000 * DAY)


def test_no_key_is_shown_by_accident() -> None:
    assert "KEY" not in repr(talos())


def handshake(directory: Path, ca: Credentials, client: Credentials) -> str | None:
    """Return the subject that a server with this CA learns of a client; raises ssl.SSLError."""
    contexts = []
    for purpose, credentials, trusted in (
        (ssl.PROTOCOL_TLS_SERVER, ca, ca.ca),
        (ssl.PROTOCOL_TLS_CLIENT, client, client.ca),
    ):
        pem = directory / f"{purpose.name}.pem"
        pem.write_text(credentials.crt + standard_pem(credentials.key))
        context = ssl.SSLContext(purpose)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED if purpose is ssl.PROTOCOL_TLS_SERVER else ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # whose client learns of a refusal in the handshake
        context.load_cert_chain(pem)
        context.load_verify_locations(cadata=trusted)
        contexts.append(context)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = contexts[0].wrap_bio(there, back, server_side=True)
    talker = contexts[1].wrap_bio(back, there)
    for _ in range(8):
        for side in (talker, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    peer: Any = server.getpeercert()
    return str(peer["subject"]) if peer else None


def test_a_server_of_the_same_ca_takes_a_client_and_one_of_another_refuses_it(tmp_path: Path) -> None:
    now = datetime.now(NOW.tzinfo)
    ours, theirs = bundle_of("a", now), bundle_of("b", now)
    server = talos(bundle=ours, now=now)
    assert "os:admin" in str(handshake(tmp_path, server, talos(bundle=ours, now=now)))
    with pytest.raises(ssl.SSLError):
        handshake(tmp_path, server, talos(bundle=theirs, now=now))


OTHER = """\
# mine
context: work
contexts:
    work:
        endpoints: [10.9.9.9]
        nodes: [10.9.9.9]
        ca: "MTIz"
        auth: {siderov1: {identity: off}}
    arda:
        endpoints: [10.0.0.99]
        nodes: [10.0.0.99]
        crt: b2xk
        ca: CA
"""
OTHER = OTHER.replace("ca: CA", f"ca: {base64.b64encode(BUNDLE.os.crt.encode()).decode()}")


def test_a_talosconfig_has_one_context_with_base64_of_talos_pem() -> None:
    credentials = talos()
    document = talosconfig("arda", ["10.0.0.1", "10.0.0.2"], credentials)
    context = document["contexts"][document["context"]]
    assert document["context"] == "arda"
    assert context["endpoints"] == ["10.0.0.1", "10.0.0.2"]
    assert "nodes" not in context, "a command acts on the nodes that its user names"
    for key in ("ca", "crt", "key"):
        assert base64.b64decode(context[key]).decode() == getattr(credentials, key)


def test_a_talosconfig_is_merged_and_other_contexts_stay() -> None:
    new = dump_client_file(talosconfig("arda", ["10.0.0.1"], talos()))
    merged = merge_talosconfig(OTHER, new)
    document, ours = load_client_file(merged, ""), load_client_file(new, "")
    assert document["context"] == "arda"
    assert document["contexts"]["arda"] == ours["contexts"]["arda"], "nothing of the old one is left"
    assert document["contexts"]["work"] == load_client_file(OTHER, "")["contexts"]["work"]
    assert "identity: off" in merged
    assert merge_talosconfig(merged, new) == merged
    assert load_client_file(merge_talosconfig("", new), "") == ours
    assert load_client_file(merge_talosconfig('context: ""\ncontexts: {}\n', new), "") == ours


def kubectl(file: Path, *arguments: str) -> Any:
    """Return what the real kubectl reads."""
    command = ["kubectl", "--kubeconfig", str(file), *arguments]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "HOME": str(file.parent)},
    )
    return ended.stdout


MINE = """\
apiVersion: v1
kind: Config
preferences: {colors: true}
current-context: work
clusters:
- cluster: {server: "https://10.9.9.9:6443", insecure-skip-tls-verify: true}
  name: work
- cluster: {server: "https://10.0.0.99:6443", certificate-authority-data: CA}
  name: arda
users:
- name: me
  user: {token: "0123"}
contexts:
- context: {cluster: work, user: me}
  name: work
- context: {cluster: arda, user: gone, namespace: kube-system}
  name: admin@arda
"""
MINE = MINE.replace("data: CA", f"data: {base64.b64encode(BUNDLE.kubernetes.crt.encode()).decode()}")
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


@needs_kubectl
def test_kubectl_reads_a_kubeconfig(tmp_path: Path) -> None:
    file = tmp_path / "config"
    credentials = kubernetes()
    file.write_text(dump_client_file(kubeconfig("arda", "https://api.arda.lab.home.arpa:6443", credentials)))
    seen = json.loads(kubectl(file, "config", "view", "--raw", "--minify", "--output", "json"))
    assert seen["current-context"] == "admin@arda"
    (cluster,) = seen["clusters"]
    assert cluster["cluster"]["server"] == "https://api.arda.lab.home.arpa:6443"
    (user,) = seen["users"]
    assert user["name"] == "admin@arda"
    data = user["user"] | cluster["cluster"]
    found = [base64.b64decode(data[f"{key}-data"]).decode() for key in KUBECONFIG_DATA]
    assert found == [credentials.ca, credentials.crt, credentials.key]
    assert seen["contexts"][0]["context"] == {"cluster": "arda", "namespace": "default", "user": "admin@arda"}


KUBECONFIG_DATA = ("certificate-authority", "client-certificate", "client-key")


@needs_kubectl
def test_kubectl_reads_a_merged_kubeconfig_with_every_other_context(tmp_path: Path) -> None:
    file = tmp_path / "config"
    new = dump_client_file(kubeconfig("arda", "https://api.arda.lab:6443", kubernetes()))
    file.write_text(merge_kubeconfig(MINE, new))
    names = kubectl(file, "config", "get-contexts", "--output", "name").split()
    assert sorted(names) == ["admin@arda", "work"]
    assert kubectl(file, "config", "current-context").strip() == "admin@arda"
    seen = json.loads(kubectl(file, "config", "view", "--raw", "--output", "json"))
    servers = {one["name"]: one["cluster"]["server"] for one in seen["clusters"]}
    assert servers == {"work": "https://10.9.9.9:6443", "arda": "https://api.arda.lab:6443"}
    assert {one["name"]: one["user"].get("token") for one in seen["users"]} == {
        "me": "0123",
        "admin@arda": None,
    }
    (ours,) = [one["context"] for one in seen["contexts"] if one["name"] == "admin@arda"]
    assert ours == {"cluster": "arda", "namespace": "default", "user": "admin@arda"}


@needs_kubectl
def test_kubectl_goes_on_from_a_merged_kubeconfig_and_it_is_merged_again(tmp_path: Path) -> None:
    file = tmp_path / "config"
    kubectl(file, "config", "set-context", "empty")  # writes null lists
    first, second = (
        dump_client_file(kubeconfig("arda", "https://api:6443", kubernetes(seed))) for seed in ("one", "two")
    )
    file.write_text(merge_kubeconfig(file.read_text(), first))
    kubectl(file, "config", "use-context", "empty")
    file.write_text(merge_kubeconfig(file.read_text(), second))
    seen = json.loads(kubectl(file, "config", "view", "--raw", "--minify", "--output", "json"))
    key = seen["users"][0]["user"]["client-key-data"]
    assert base64.b64decode(key).decode() == kubernetes("two").key
    assert merge_kubeconfig(first, second) == second


FOREIGN = base64.b64encode(bundle_of("b").os.crt.encode()).decode()


@pytest.mark.parametrize(
    ("existing", "words"),
    [
        (
            f"clusters: [{{name: arda, cluster: {{server: x, certificate-authority-data: {FOREIGN}}}}}]",
            "clusters: arda is there already, and is not of this cluster; rename it, remove it (kubectl config delete-cluster",
        ),
        ("clusters: [{name: arda, cluster: {server: x, insecure-skip-tls-verify: true}}]", "clusters: arda is there"),
        ("clusters: [{name: arda}]", "clusters: arda is there"),
        ("users: [{name: admin@arda, user: {token: x}}]", "users: admin@arda is there already"),
        ("contexts: [{name: admin@arda, context: {cluster: work, user: me}}]", "contexts: admin@arda is there already"),
    ],
)  # fmt: skip
def test_a_kubeconfig_s_entry_of_another_cluster_is_never_replaced(existing: str, words: str) -> None:
    new = dump_client_file(kubeconfig("arda", "https://api:6443", kubernetes()))
    with pytest.raises(OperationError, match=rf"^kubeconfig: {re.escape(words)}.*, or give another file$"):
        merge_kubeconfig(existing, new)


@pytest.mark.parametrize("context", [f"{{ca: {FOREIGN}}}", "{endpoints: [10.0.0.9]}", "work"])
def test_a_talosconfig_s_context_of_another_cluster_is_never_replaced(context: str) -> None:
    new = dump_client_file(talosconfig("arda", [], talos()))
    with pytest.raises(
        OperationError, match=r"^talosconfig: contexts: arda is there already, .*give another file$"
    ):
        merge_talosconfig(f"contexts: {{arda: {context}}}", new)


@pytest.mark.parametrize("merge", [merge_kubeconfig, merge_talosconfig])
@pytest.mark.parametrize(
    "existing",
    [
        *(
            "[]",
            "a: b: c",
            "contexts: 7",
            "contexts: [1]",
            "x" * (2 << 20),
            "\x00",
            "a: &a [*a]\ncontexts: x",
        ),
        *("a: b\n---\nc: d\n", "a: 1\na: 2\n", "!!omap", "!!int > ", "? [a]\n", "- a\n", "[" * 100_000),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_line_and_not_shown(merge: Any, existing: str) -> None:
    new = dump_client_file(kubeconfig("arda", "https://api:6443", kubernetes()))
    if merge is merge_talosconfig:
        new = dump_client_file(talosconfig("arda", [], talos()))
    with pytest.raises(OperationError) as refused:
        merge(existing, new)
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith("give another file")


PIECES = [
    *(
        "a",
        "contexts",
        "clusters",
        "users",
        "name: arda",
        "current-context",
        ": ",
        "\n",
        "  ",
        "- ",
        "{",
        "}",
    ),
    *(
        "[",
        "]",
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
        "!!int ",
        "!!omap",
        "!x ",
        "? ",
        "| ",
        "> ",
        "'",
        '"',
        "#",
        "=",
        ",",
    ),
    *(
        "2020-01-01",
        "0x1",
        "1e5",
        ".inf",
        "null",
        "~",
        "---",
        "...",
        "%YAML 1.1\n",
        "\t",
        "\x85",
        "\u2028",
        "\ud800",
    ),
]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join) | st.text(max_size=40))
def test_any_file_is_merged_or_refused(existing: str) -> None:
    for merge, document in (
        (merge_kubeconfig, kubeconfig("arda", "https://api:6443", FAKE)),
        (merge_talosconfig, talosconfig("arda", ["10.0.0.1"], FAKE)),
    ):
        new = dump_client_file(document)
        try:
            merged = merge(existing, new)
        except OperationError:
            continue
        assert merge(merged, new) == merged


@pytest.mark.parametrize(
    "written", ["yes", "no", "'yes'", "off", "0644", "1.10", "'0123'", "2020-01-01", "~", '""']
)
def test_what_is_not_ours_keeps_its_spelling_and_its_meaning(written: str) -> None:
    new = dump_client_file(talosconfig("arda", [], FAKE))
    merged = merge_talosconfig(f"contexts:\n  other:\n    x: {written}\n", new)
    (line,) = [line.strip() for line in merged.splitlines() if line.strip().startswith("x:")]
    before, after = (yaml.safe_load(text)["x"] for text in (f"x: {written}", line))
    assert (before, type(before)) == (after, type(after)) or (line, written) == (
        "x: '2020-01-01'",
        "2020-01-01",
    )
