"""Patches: how values merge, what can be deleted, and what is refused with its line."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.layers.arda.documents import Contract, dump_documents, load_documents
from iluvatar_pxe.layers.arda.patching.apply import apply_patch
from iluvatar_pxe.layers.arda.patching.patch import parse_patch
from iluvatar_pxe.layers.arda.patching.urls import merged_url

HEAD = "apiVersion: v1alpha1\nkind: "
VOLUME = f"{HEAD}UserVolumeConfig\nname: a\n"
DELETE = "{$patch: delete}"


def patched(text: str, *patches: str, contract: Contract = Contract.V1_14) -> Any:
    documents = load_documents(text)
    for patch in patches:
        documents = apply_patch(documents, parse_patch(patch), contract)
    return documents


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        ("machine: {type: worker}", "machine: {type: ''}", "machine: {type: worker}"),
        ("machine: {type: worker}", "machine: {type: ~}", "machine: {type: worker}"),
        ("machine: {type: worker}", "machine: {type: controlplane}", "machine: {type: controlplane}"),
        ("machine: {certSANs: [a]}", "machine: {certSANs: [a, b]}", "machine: {certSANs: [a, a, b]}"),
        ("machine: {certSANs: [a]}", "machine: {certSANs: []}", "machine: {certSANs: [a]}"),
        ("debug: true", "debug: false", "debug: false"),
        ("debug: true", "machine: {}", "debug: true\nmachine: {}"),
        (
            "machine: {sysctls: {a: '1'}}",
            "machine: {sysctls: {b: 0644}}",
            "machine: {sysctls: {a: '1', b: 0644}}",
        ),
        (
            "machine: {kubelet: {extraArgs: {a: x, b: x}}}",
            "machine: {kubelet: {extraArgs: {a: [y, z], b: ''}}}",
            "machine: {kubelet: {extraArgs: {a: [y, z], b: ''}}}",
        ),
        (
            "machine: {kubelet: {extraConfig: {a: {b: [1]}, c: 1}}}",
            "machine: {kubelet: {extraConfig: {a: {b: [2]}, c: 0}}}",
            "machine: {kubelet: {extraConfig: {a: {b: [1, 2]}, c: 1}}}",
        ),
        (
            "cluster: {network: {podSubnets: [10.0.0.0/8]}}",
            "cluster: {network: {podSubnets: [10.1.0.0/16]}}",
            "cluster: {network: {podSubnets: [10.1.0.0/16]}}",
        ),
        (
            "machine: {network: {interfaces: [{deviceSelector: {driver: x}, mtu: 1}, {interface: b}]}}",
            "machine: {network: {interfaces: [{deviceSelector: {driver: x}, mtu: 2}, {deviceSelector: {driver: y}}]}}",
            "machine: {network: {interfaces: [{deviceSelector: {driver: x}, mtu: 2}, {interface: b}, {deviceSelector: {driver: y}}]}}",
        ),
        (
            "cluster: {apiServer: {admissionControl: [{name: a, configuration: {b: [1]}}]}}",
            "cluster: {apiServer: {admissionControl: [{name: a, configuration: {b: [2]}}, {name: c}]}}",
            "cluster: {apiServer: {admissionControl: [{name: a, configuration: {b: [1, 2]}}, {name: c}]}}",
        ),
        (
            f"{HEAD}ImageVerificationConfig\nrules: [{{image: a, skip: true}}, {{image: b}}]",
            f"{HEAD}ImageVerificationConfig\nrules: [{{image: a}}, {{image: c}}]",
            f"{HEAD}ImageVerificationConfig\nrules: [{{image: a}}, {{image: b}}, {{image: c}}]",
        ),
        ("machine: {ca: {crt: a, key: b}}", "machine: {ca: {crt: c}}", "machine: {ca: {crt: c}}"),
        (f"{HEAD}KubeSpanConfig\nmtu: 1", f"{HEAD}KubeSpanConfig\nmtu: 0", f"{HEAD}KubeSpanConfig\nmtu: 0"),
        (
            f"{HEAD}KubePrismConfig\nport: 1",
            f"{HEAD}KubePrismConfig\nport: 0x0",
            f"{HEAD}KubePrismConfig\nport: 1",
        ),
        (
            f"{HEAD}NetworkDefaultActionConfig\ningress: block",
            f"{HEAD}NetworkDefaultActionConfig\ningress: accept",
            f"{HEAD}NetworkDefaultActionConfig\ningress: block",
        ),
        (
            f"{VOLUME}provisioning: {{diskSelector: {{match: x}}, minSize: 1GB, maxSize: 2GB}}",
            f"{VOLUME}mount: {{secure: false}}",
            f"{VOLUME}provisioning: {{diskSelector: {{}}, maxSize: 2GB}}\nmount: {{secure: false}}",
        ),
        (
            f"{VOLUME}filesystem: {{xfs: {{minAllocationGroupSize: 1GB}}}}",
            f"{VOLUME}provisioning: {{minSize: 1GB}}",
            f"{VOLUME}filesystem: {{xfs: {{minAllocationGroupSize: 1GB}}}}\nprovisioning: {{minSize: 1GB}}",
        ),
        (
            f"{VOLUME}provisioning: {{maxSize: 5%}}",
            f"{VOLUME}provisioning: {{maxSize: 1GB}}",
            f"{VOLUME}provisioning: {{maxSize: 1GB}}",
        ),
        (
            f"{HEAD}HostnameConfig\nauto: stable",
            f"{HEAD}HostnameConfig\nauto: off\nhostname: a",
            f"{HEAD}HostnameConfig\nauto: off\nhostname: a",
        ),
    ],
)
def test_merging(before: str, patch: str, after: str) -> None:
    assert patched(before, patch) == load_documents(after)


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        ("machine: {type: worker}", f"machine: {{type: {DELETE}}}", "machine: {}"),
        ("machine: {}", f"machine: {{type: {DELETE}}}", "machine: {}"),
        (
            "cluster: {discovery: {}}",
            f"cluster: {{discovery: {{registries: {{service: {DELETE}}}}}}}",
            "cluster: {discovery: {}}",
        ),
        ("machine: {sysctls: {a: b}}", f"machine: {{sysctls: {{a: {DELETE}}}}}", "machine: {sysctls: {}}"),
        (
            "machine: {files: [{path: a, op: x}, {path: b}, {path: a, op: y}]}",
            "machine: {files: [{path: a, $patch: delete}, {path: c}]}",
            "machine: {files: [{path: b}, {path: a, op: y}, {path: c}]}",
        ),
        (f"machine: {{}}\n---\n{VOLUME}", f"{VOLUME}$patch: delete", "machine: {}"),
        ("debug: true", f"debug: false\n---\nmachine: {{}}\ndebug: {DELETE}", "debug: false\nmachine: {}"),
        (VOLUME, "machine: {}", f"machine: {{}}\n---\n{VOLUME}"),
        (
            f"machine: {{}}\n---\n{VOLUME}",
            f"{HEAD}UserVolumeConfig\n$patch: delete",
            f"machine: {{}}\n---\n{VOLUME}",
        ),
    ],
)
def test_deleting(before: str, patch: str, after: str) -> None:
    assert patched(before, patch) == load_documents(after)


@pytest.mark.parametrize(
    ("before", "patch", "line", "why"),
    [
        (
            "machine: {ca: {crt: a}}",
            f"machine: {{ca: {{crt: {DELETE}}}}}",
            1,
            "machine.ca.crt: it is not in ",
        ),
        ("machine: {}", "a: 1", 1, "has no kind; "),
        ("machine: {}", "machine: [\n", 2, "not valid YAML: "),
        ("machine: {}", "machine: {}\n---\n- op: add\n", 3, "is no part of a machine configuration: "),
        ("machine: {}", f"\nmachine:\n  sysctls:\n    a: {DELETE}", 4, "machine.sysctls.a: it is not in "),
        (
            "machine: {sysctls: {b: c}}",
            f"machine:\n  sysctls:\n    a: {DELETE}",
            3,
            "machine.sysctls.a: it is not in ",
        ),
        (
            "machine: {}",
            f"machine:\n  kubelet:\n    image: {DELETE}",
            3,
            "machine.kubelet.image: it is not in ",
        ),
        (
            "machine: {files: [{path: b}]}",
            "machine:\n  files:\n    - path: a\n      $patch: delete",
            4,
            "machine.files.1: no item with this path is in ",
        ),
        (
            "machine: {files: [{permissions: 420}]}",
            "machine: {files: [{permissions: 420, $patch: delete}]}",
            1,
            "machine.files.1: no item with this permissions is in ",
        ),
        (
            "machine: {acceptedCAs: [{crt: YQ==}]}",
            "machine: {acceptedCAs: [{crt: YQ==, $patch: delete}]}",
            1,
            "machine.acceptedCAs.1: Talos finds no item by its crt; delete the whole list",
        ),
        (
            "machine: {}",
            "machine: {files: [{$patch: delete}]}",
            1,
            "machine.files.1: $patch: delete in a list needs a key",
        ),
        (
            "machine: {}",
            f"machine: {{files: [{{path: {DELETE}}}]}}",
            1,
            "machine.files.1.path: nothing below an item",
        ),
        (
            "machine: {network: {interfaces: [{interface: a}]}}",
            "machine: {network: {interfaces: [{vlans: [{vlanId: a, $patch: delete}]}]}}",
            1,
            "machine.network.interfaces.1.vlans.1: lists in lists cannot be searched; ",
        ),
        (
            "machine: {}",
            "$patch: delete",
            1,
            "$patch: delete needs both apiVersion and kind of its document; ",
        ),
        (
            "machine: {}",
            "kind: KubeletConfig\nimage: {$patch: delete}",
            2,
            "$patch: delete needs both apiVersion",
        ),
        (
            f"{HEAD}KubeletConfig\nconfig: {{a: 1}}",
            f"{HEAD}KubeletConfig\nconfig:\n  b: 1\n  a: 1.5",
            5,
            "config.a: is a decimal number, and a whole number in the configuration; delete it first",
        ),
        (
            "machine: {certSANs: [a]}",
            "machine: {certSANs: a}",
            1,
            "machine.certSANs: is a single value, and a list in ",
        ),
        (
            f"{VOLUME}provisioning: {{maxSize: 1GB}}",
            f"{VOLUME}provisioning:\n  maxSize: 10%",
            5,
            "provisioning.maxSize: Talos keeps 1GB besides; delete it first, ",
        ),
        (
            f"{HEAD}SideroLinkConfig\napiUrl: https://a:b@c",
            f"{HEAD}SideroLinkConfig\napiUrl: https://d:e@c",
            3,
            "apiUrl: both addresses have a user; ",
        ),
    ],
)
def test_what_is_refused(before: str, patch: str, line: int, why: str) -> None:
    with pytest.raises(DocumentError) as caught:
        patched(before, patch)
    assert caught.value.text.startswith(why)
    assert caught.value.line == line


def test_search_domains_are_appended_by_1_13_alone() -> None:
    before = f"{HEAD}ResolverConfig\nsearchDomains: {{domains: [a]}}"
    patch = f"{HEAD}ResolverConfig\nsearchDomains: {{domains: [b]}}"
    ((found,), (older,)) = (patched(before, patch, contract=one) for one in (Contract.V1_14, Contract.V1_13))
    assert found["searchDomains"] == {"domains": ["b"]}
    assert older["searchDomains"] == {"domains": ["a", "b"]}


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        (f"{VOLUME}$patch: delete", "Talos v1.13 fails to delete it; "),
        (f"{VOLUME}---\n{VOLUME}mount: {{}}", "names UserVolumeConfig a twice, which Talos 1.13 refuses; "),
        (
            f"{HEAD}RoutingRuleConfig\nname: '1'\npriority: 5",
            "Talos v1.13 cannot merge a RoutingRuleConfig; ",
        ),
    ],
)
def test_what_only_1_13_refuses(patch: str, why: str) -> None:
    before = f"machine: {{}}\n---\n{HEAD}RoutingRuleConfig\nname: '1'\n"
    patched(before, patch)
    with pytest.raises(DocumentError) as caught:
        patched(before, patch, contract=Contract.V1_13)
    assert why in caught.value.text


@pytest.mark.parametrize(
    ("old", "new", "merged"),
    [
        ("https://127.0.0.1:6643/", "https://10.0.0.1", "https://10.0.0.1/"),
        ("https://u:p@a/join?a=b#x", "http://a:5", "http://u:p@a:5/join?a=b#x"),
        ("https://a/b%2Fc?d=e", "http://h/b", "http://h/b?d=e"),
        ("https://a", "/b", "https://a/b"),
        ("https://u@a", "https://v@a", None),
    ],
)
def test_addresses_merge_by_their_parts(old: str, new: str, merged: str | None) -> None:
    assert merged_url(old, new) == merged


WORDS = st.sampled_from(["a", "b", "c"])
CONTENTS = st.recursive(
    st.integers(1, 9) | WORDS, lambda inner: st.dictionaries(WORDS, inner, min_size=1), max_leaves=6
)
CONFIGURATIONS = st.fixed_dictionaries(
    {},
    optional={
        "machine": st.fixed_dictionaries(
            {},
            optional={
                "sysctls": st.dictionaries(WORDS, WORDS),
                "kubelet": st.fixed_dictionaries({"image": WORDS}),
            },
        ),
        "debug": st.booleans(),
    },
).map(lambda value: {"version": "v1alpha1", "cluster": {}, **value})


@given(CONFIGURATIONS, st.sampled_from(Contract))
def test_a_patch_of_nothing_changes_nothing(value: dict[str, Any], contract: Contract) -> None:
    text = dump_documents([value])
    for nothing in ("", "---\n", "# nothing\n"):
        assert patched(text, nothing, contract=contract) == (value,)


@pytest.mark.parametrize(
    "patch", ["{}\n", "version: v1alpha1\n", "\nversion: v1beta1\n", "kind: LinkConfig\nname: a\n"]
)
def test_a_patch_that_says_nothing_is_refused(patch: str) -> None:
    with pytest.raises(
        DocumentError, match="says nothing of a configuration, and Talos refuses such a patch; "
    ):
        parse_patch(patch)


def test_a_document_needs_its_version() -> None:
    with pytest.raises(DocumentError, match="has no apiVersion; write apiVersion: v1alpha1 above kind"):
        parse_patch("kind: HostnameConfig\nhostname: a\n")


@given(CONFIGURATIONS, CONFIGURATIONS, st.sampled_from(Contract))
def test_without_lists_twice_is_once(one: dict[str, Any], two: dict[str, Any], contract: Contract) -> None:
    text, patch = dump_documents([one]), dump_documents([two])
    assert patched(text, patch, patch, contract=contract) == patched(text, patch, contract=contract)


@given(CONFIGURATIONS, st.sampled_from(Contract))
def test_a_configuration_patched_by_itself_stays(value: dict[str, Any], contract: Contract) -> None:
    text = dump_documents([value])
    assert patched(text, text, contract=contract) == (value,)


@given(st.text("a:[]{}-$patch delete\n&*'\"", max_size=60))
def test_any_text_is_a_patch_or_refused(text: str) -> None:
    with suppress(DocumentError):
        patched("machine: {type: worker}", text)
