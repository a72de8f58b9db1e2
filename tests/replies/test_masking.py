"""No secret of a machine configuration is shown, and what is not secret stays."""

import base64
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from iluvatar_pxe.replies.masking import CERTIFICATE, MASK, mask_arguments, mask_secrets

TALOS = Path(__file__).parent / "talos"
CONFIGS = sorted(TALOS.glob("v*.yaml"))
PRIVATE = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIEYlYh75SQ6zUBEM\n-----END EC PRIVATE KEY-----\n"
HIDDEN = "hidden-1"


def load(text: str) -> list[Any]:
    return list(YAML(typ="safe", pure=True).load_all(text))


def secrets() -> Iterator[str]:
    """Every secret of the golden files, and keys by the lines of their PEM, too."""
    (bundle,) = load((TALOS / "secrets.yaml").read_text())
    yield bundle["cluster"]["secret"]
    yield from bundle["secrets"].values()
    yield bundle["trustdinfo"]["token"]
    for pair in bundle["certs"].values():
        yield pair["key"]
        pem = base64.b64decode(pair["key"]).decode()
        yield pem
        yield from pem.splitlines()[1:-1]


def keys_in(node: object) -> Any:
    """The structure alone."""
    if isinstance(node, dict):
        return {key: keys_in(value) for key, value in node.items()}
    return [keys_in(item) for item in node] if isinstance(node, list) else None


@pytest.mark.parametrize("file", [*CONFIGS, TALOS / "secrets.yaml"], ids=lambda file: file.stem)
def test_golden_files_keep_their_structure_and_lose_their_secrets(file: Path) -> None:
    text = file.read_text()
    masked = mask_secrets(text)
    assert keys_in(load(masked)) == keys_in(load(text))
    assert [secret for secret in secrets() if secret in masked] == []
    assert "PRIVATE KEY" not in masked
    assert any(secret in text for secret in secrets()), "the test looks for secrets that are there"
    assert mask_secrets(masked) == masked


def test_what_is_not_secret_stays() -> None:
    control_plane, worker = (
        (TALOS / f"v1.13-{role}.yaml").read_text() for role in ("controlplane", "worker")
    )
    for text in (control_plane, worker):
        (before, hostname), (after, same) = load(text), load(mask_secrets(text))
        assert same == hostname
        assert after["machine"]["features"] == before["machine"]["features"]
        assert after["machine"]["kubelet"] == before["machine"]["kubelet"]
        assert after["cluster"]["network"] == before["cluster"]["network"]
        assert after["machine"]["ca"]["crt"] == CERTIFICATE
    assert load(mask_secrets(control_plane))[0]["machine"]["ca"]["key"] == MASK
    assert load(mask_secrets(worker))[0]["machine"]["ca"]["key"] == "", "that there is none may be seen"


@pytest.mark.parametrize(
    "text",
    [
        f"machine: {{token: {HIDDEN}}}",
        f"TOKEN: {HIDDEN}",
        f"password: [{HIDDEN}, {{a: {HIDDEN}}}]",
        "password: 77001123",
        f"machine: {{registries: {{config: {{r.example: {{auth: {{username: {HIDDEN}, password: {HIDDEN}}}}}}}}}}}",
        f"machine: {{files: [{{path: /var/x, content: {HIDDEN}}}]}}",
        f'machine: {{files: [{{path: /var/x, other: "a = {HIDDEN}\\nb"}}]}}',
        f"cluster: {{inlineManifests: [{{name: x, contents: 'kind: Secret\\nstringData: {{a: {HIDDEN}}}'}}]}}",
        f"kind: KubeInlineManifestConfig\nname: x\nmanifest: |\n  kind: Secret\n  data: {{a: {HIDDEN}}}\n",
        f"kind: Secret\nstringData: {{a: {HIDDEN}}}\ndata: {{b: {HIDDEN}}}\n",
        f"kind: WireguardConfig\nprivateKey: {HIDDEN}\npeers: [{{presharedKey: {HIDDEN}}}]\n",
        f"machine: {{systemDiskEncryption: {{state: {{keys: [{{static: {{passphrase: {HIDDEN}}}}}]}}}}}}",
        f"keys: [{HIDDEN}]",
        f"tunnel: {{private: {HIDDEN}, preshared: {HIDDEN}, psk: {HIDDEN}, salt: {HIDDEN}}}",
        f"aws_credentials: {HIDDEN}\nsession-cookie: {HIDDEN}\npwd: {HIDDEN}\npassphrase: {HIDDEN}",
        f"environment: [TS_AUTHKEY={HIDDEN}, 'a=b']",
        f"args: [--password={HIDDEN}, '--client-secret {HIDDEN[:0]}= {HIDDEN}']",
        f"apiUrl: https://omni.example:8090?grpc_tunnel=true&jointoken={HIDDEN}",
        f"extraKernelArgs: [siderolink.api=https://o.example?jointoken={HIDDEN}, talos.config.inline={HIDDEN}]",
        f"http_proxy: http://user:{HIDDEN}@proxy.example:3128",
        f"text: 'Authorization: Bearer {HIDDEN}'",
        f"extraHeaders: {{X-Anything: {HIDDEN}}}",
        f"user: $6$rounds=5000${HIDDEN}",
        f"web: eyJhbGciOi.{HIDDEN}.x",
        f"machine:\n  token:{HIDDEN}",
        f"a: b # {HIDDEN}",
        f"# {HIDDEN}\na: b",
        f"a: !!binary {HIDDEN}",
        f"a: !mine {HIDDEN}",
        f"a: &one {{token: {HIDDEN}}}\nb: *one\nc: {{<<: *one}}",
        f"a: &one {HIDDEN}\nb: {{token: *one}}",
        f"a: &one [*one, {{secret: {HIDDEN}}}]",
        f"? {{token: {HIDDEN}}}\n: b",
        f"{HIDDEN}",
        f"- {HIDDEN}",
        f"a: b\n---\n{HIDDEN}",
        f"a: [{HIDDEN}",
        f"a: b\n\tc: {HIDDEN}",
        f"%YAML 9.9\n---\na: {HIDDEN}",
    ],
)
def test_a_secret_wherever_it_may_be(text: str) -> None:
    masked = mask_secrets(text)
    assert HIDDEN not in masked
    assert "77001123" not in masked


@pytest.mark.parametrize(
    "secret",
    [
        PRIVATE,
        PRIVATE.replace("\n", " "),
        base64.b64encode(PRIVATE.encode()).decode(),
        "45yd2Ke+sytiICojDf8aibTfgt99nzJmO53cjDqrCto=",
        "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba",
        "d8cwfa.eyvpi0xwxyarbfid",
    ],
)
def test_a_secret_that_no_key_tells(secret: str) -> None:
    text = "plain: |\n" + textwrap.indent(secret, "  ") + "\n"
    assert load(mask_secrets(text)) == [{"plain": MASK}]


@pytest.mark.parametrize(
    "value",
    [
        "factory.talos.dev/metal-installer/376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba:v1.13.9",
        "https://192.168.1.10:6443",
        "/var/lib/longhorn-on-the-disk-1",
        'mac(link.permanent_addr) == "00:1a:2b:3c:4d:5e"',
        "pod-security.admission.config.k8s.io/v1alpha1",
        "arda-01",
        "168h0m0s",
        "",
    ],
)
def test_what_may_be_seen_is_seen(value: str) -> None:
    assert load(mask_secrets(YAML_LINE.format(value))) == [{"a": value, "b": True, "c": 4789, "token": None}]


YAML_LINE = "a: '{}'\nb: true\nc: 4789\ntoken: null\n"


def test_of_a_text_that_is_no_yaml_only_the_size_is_told() -> None:
    assert mask_secrets("password = ä") == "(not shown: 13 bytes that are no YAML of keys and values)\n"


@given(st.text(st.sampled_from("ab:-?&*!|>%@`'\"#{}[],\n\t \\0\x00é<=~"), max_size=60))
def test_no_text_is_a_fault(text: str) -> None:
    assert isinstance(mask_secrets(text), str)


SCALARS = st.sampled_from([HIDDEN, 77001123, "two\nlines " + HIDDEN, [HIDDEN], {"deep": HIDDEN}])
NAMES = st.sampled_from(
    ["token", "bootstrapToken", "clusterSecret", "privateKey", "key", "passwordHash", "auth"]
)
TREES = st.recursive(
    st.dictionaries(NAMES, SCALARS, min_size=1),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner | st.lists(inner)),
    max_leaves=8,
)


@given(TREES)
def test_no_depth_and_no_shape_shows_a_secret(tree: dict[str, Any]) -> None:
    masked = mask_secrets(json.dumps(tree))  # JSON is YAML
    assert HIDDEN not in masked
    assert "77001123" not in masked
    assert keys_in(load(masked)) == keys_in([tree])


def test_a_script_shows_no_secret_of_its_arguments() -> None:
    script = (
        "#!ipxe\n"
        "kernel http://10.0.0.1/k pti=on siderolink.api=https://o.example?a=b&jointoken=v1:x&c=d talos.config.inline=eA\n"
        "chain http://user:word@10.0.0.1/x || prompt --key 0x64 Keys: d boots the disk.\n"
    )
    assert mask_arguments(script) == (
        "#!ipxe\n"
        "kernel http://10.0.0.1/k pti=on siderolink.api=https://o.example?a=b&jointoken=(masked)&c=d "
        "talos.config.inline=(masked)\n"
        "chain http://(masked)@10.0.0.1/x || prompt --key 0x64 Keys: d boots the disk.\n"
    )
