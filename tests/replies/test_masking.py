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

from iluvatar_pxe.boot.plan import RunScript, ServePiFiles
from iluvatar_pxe.replies.made_up import made_up_configuration, made_up_script
from iluvatar_pxe.replies.masking import (
    CERTIFICATE,
    MASK,
    mask_arguments,
    mask_configuration,
    mask_script,
    masked,
)
from iluvatar_pxe.replies.public_words import TALOS_KEYS
from iluvatar_pxe.values import replace

TALOS = Path(__file__).parent / "talos"
CONFIGS = sorted(TALOS.glob("v*.yaml"))
PRIVATE = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIEYlYh75SQ6zUBEM\n-----END EC PRIVATE KEY-----\n"
HIDDEN = "hidden-1"
PI_PLAN = ServePiFiles(
    why="",
    chain="raspberry-pi",
    name="pi",
    folder="raspberry-pi/image",
    files={},
    cmdline="",
    kernel="vmlinuz",
    initramfs="",
    ramdisk=False,
    config_lines=(),
    kernel_args=(),
)


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
    """The structure alone: public keys, and how many others there are."""
    if isinstance(node, dict):
        shown = {key for key in node if key in TALOS_KEYS}
        return {key: keys_in(node[key]) for key in shown} | {MASK: len(node) - len(shown)}
    return [keys_in(item) for item in node] if isinstance(node, list) else None


@pytest.mark.parametrize("file", [*CONFIGS, TALOS / "secrets.yaml"], ids=lambda file: file.stem)
def test_golden_files_keep_their_structure_and_lose_their_secrets(file: Path) -> None:
    text = file.read_text()
    masked = mask_configuration(text)
    assert keys_in(load(masked)) == keys_in(load(text))
    assert [secret for secret in secrets() if secret in masked] == []
    assert "PRIVATE KEY" not in masked
    assert any(secret in text for secret in secrets()), "the test looks for secrets that are there"
    again = mask_configuration(masked.replace(CERTIFICATE, '""'))
    assert again == masked.replace(CERTIFICATE, '""')


def test_what_is_not_secret_stays() -> None:
    control_plane, worker = (
        (TALOS / f"v1.13-{role}.yaml").read_text() for role in ("controlplane", "worker")
    )
    for text in (control_plane, worker):
        (before, hostname), (after, same) = load(text), load(mask_configuration(text))
        assert same == hostname
        assert after["machine"]["features"] == before["machine"]["features"]
        assert after["machine"]["kubelet"] == before["machine"]["kubelet"]
        assert after["cluster"]["network"] == before["cluster"]["network"]
        assert after["machine"]["ca"]["crt"] == CERTIFICATE
    assert load(mask_configuration(control_plane))[0]["machine"]["ca"]["key"] == MASK
    assert load(mask_configuration(worker))[0]["machine"]["ca"]["key"] == "", "that there is none may be seen"


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
    masked = mask_configuration(text)
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
    assert load(mask_configuration(text)) == [{MASK: MASK}]


def test_what_is_not_known_is_masked_whatever_it_looks_like() -> None:
    text = (
        "snmp: {community: public}\npin: 4711\nmachine: {sysctls: {a.b: word}, files: [{path: /srv/word}]}\n"
    )
    assert load(mask_configuration(text)) == [
        {
            MASK: {MASK: MASK},
            "(masked 2)": MASK,
            "machine": {"sysctls": {MASK: MASK}, "files": [{"path": MASK}]},
        }
    ]


SHOWN = {
    "version: v1alpha1": [],
    "machine: {type: worker}": ["init", "controlplane"],
    "machine: {install: {disk: /dev/sda, wipe: false}}": ["/dev/disk/by-id/nvme-1"],
    "machine: {install: {image: factory.talos.dev/metal-installer/376567988ad370138ad8b2698212367b:v1.13.9}}": [],
    "cluster: {controlPlane: {endpoint: 'https://192.168.1.10:6443'}}": [
        "https://api.arda.lab.home.arpa:6443"
    ],
    "kind: HostnameConfig\nhostname: arda-01": [],
    "interval: 168h0m0s": [],
    "podSubnets: [10.244.0.0/16, 'fd00::/64']": [],
}


@pytest.mark.parametrize("text", SHOWN)
def test_what_may_be_seen_is_seen(text: str) -> None:
    assert load(mask_configuration(text)) == load(text)


@pytest.mark.parametrize(
    "text",
    [
        f"cluster: {{controlPlane: {{endpoint: 'https://user:{HIDDEN}@a.example:6443'}}}}",
        f"cluster: {{controlPlane: {{endpoint: 'https://a.example/{HIDDEN}'}}}}",
        f"machine: {{install: {{image: 'a.example/x?token={HIDDEN}'}}}}",
        f"machine: {{type: {HIDDEN}}}",
        f"machine: {{ca: {{crt: {HIDDEN}}}}}",
        f"machine: {{{HIDDEN}: true}}",
        f"machine: {{nodeLabels: {{type: {HIDDEN}, kind: {HIDDEN}}}}}",
        f"a: &one {HIDDEN}\nhostname: *one",
        f"machine: {{token: !!null {HIDDEN}}}",
        f"machine: {{token: !!bool {HIDDEN}}}",
        f"machine: {{nodeAnnotations: !{HIDDEN} {{a: b}}, certSANs: !{HIDDEN} [a]}}",
    ],
)
def test_a_public_place_shows_nothing_else(text: str) -> None:
    assert HIDDEN not in mask_configuration(text)


def test_of_a_text_that_is_no_yaml_only_the_size_is_told() -> None:
    assert mask_configuration("password = ä") == "(not shown: 13 bytes that are not a YAML mapping)\n"


@given(st.text(st.sampled_from("ab:-?&*!|>%@`'\"#{}[],\n\t \\0\x00é<=~"), max_size=60))
def test_no_text_is_a_fault(text: str) -> None:
    assert isinstance(mask_configuration(text), str)


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
    masked = mask_configuration(json.dumps(tree))  # JSON is YAML
    assert HIDDEN not in masked
    assert "77001123" not in masked
    assert keys_in(load(masked)) == keys_in([tree])


ARGUMENTS = "pti=on console=ttyS0,115200 quiet wifi.psk=hush hush siderolink.api=https://o.example?jointoken=v1:x ip=dhcp console=h/u?s=h"


def test_kernel_arguments_are_shown_where_they_are_known_to_be_no_secrets() -> None:
    shown = "pti=on console=ttyS0,115200 quiet (masked) (masked) (masked) ip=dhcp (masked)"
    assert mask_arguments(ARGUMENTS) == shown


@pytest.mark.parametrize(
    "argument",
    [
        "ip=SECRET",
        "root=10.0.0.1:/export/pin",
        "initrd=https://h/s",
        "quiet=s",
        "ro=s",
        "console=secret",
        "pti",
        "panic=no",
    ],
)
def test_a_known_argument_with_another_value_is_masked(argument: str) -> None:
    assert mask_arguments(argument) == MASK


@pytest.mark.parametrize(
    "line", ["dtparam=psk=SECRET", "hdmi_x=SECRET", "dtoverlay=secret", "gpu_mem=secret", "[SECRET=1]"]
)
def test_a_line_of_config_txt_with_another_value_is_masked(line: str) -> None:
    plan = replace(PI_PLAN, config_lines=("[pi5]", line, "[all]", "gpu_mem=16"))
    shown = masked(plan)
    assert isinstance(shown, ServePiFiles)
    assert shown.config_lines == ("[pi5]", "# (masked)", "[all]", "gpu_mem=16")


SCRIPT = (
    "#!ipxe\n"
    "  set pin 4711\n"
    ":hush\n"
    "\n"
    "hush --now\n"
    "kernel --timeout 3000 http://user:word@10.0.0.1/k?token=x pti=on hush || goto hush\n"
    "boot"
)


def test_a_script_shows_its_commands() -> None:
    assert mask_script(SCRIPT) == (
        "#!ipxe\n  set (masked)\n(masked)\n\n(masked) (masked)\nkernel (masked)\nboot"
    )


def test_a_plan_is_masked_in_whole() -> None:
    values = {"version": "v1.13.9", "kernel": "talos/k", "kernel_args": ARGUMENTS}
    plan = RunScript(why="", chain="talos", name="arda-01", template="talos.ipxe", values=values)
    assert "hush" not in str(masked(plan))
    script = RunScript(why="", chain="ipxe", name="a", template="script.ipxe", values={"script": SCRIPT})
    assert "4711" not in str(masked(script))


@given(st.text())
def test_a_made_up_text_has_the_size_of_the_real_one_and_none_of_its_words(text: str) -> None:
    made = made_up_configuration(text)
    assert len(made.encode()) == len(text.encode("utf-8", "surrogatepass"))
    assert len(made.splitlines()) == len(text.splitlines())


@given(st.integers(len("#!ipxe\nexit 1\n"), 500))
def test_a_made_up_script_has_the_size_of_the_real_one(size: int) -> None:
    made = made_up_script("s" * size)
    assert len(made) == size
    assert made.startswith("#!ipxe\n")
    assert "exit 1\n" in made


def test_a_made_up_configuration_keeps_only_what_is_talos_own() -> None:
    text = "# a\nmachine:\n  - token: ab.c\n    hush: é d\n---\nkind: X\n"
    assert made_up_configuration(text) == "x x\nmachine:\n  - token: xxxx\n    xxxx: xx x\n---\nkind: x\n"
