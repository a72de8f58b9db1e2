"""A patch that Talos would refuse is told with its file and line, before a machine gets it."""

from collections.abc import Mapping

import pytest

from iluvatar_pxe.errors import ConfigurationError, FleetError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.fleet.sealed import ARMOR
from iluvatar_pxe.layers.arda.documents import Contract, load_documents
from iluvatar_pxe.layers.arda.patch_check import check_patches
from iluvatar_pxe.layers.arda.patched import PatchFile, patched, patched_text, patches_of
from iluvatar_pxe.layers.arda.schemas import schema_of
from iluvatar_pxe.machines.states import Role

LAYER = "kind: talos\ntalos: {version: v1.13.9}\n"
MACHINE = 'match: {macs: ["52:54:00:00:00:01"]}\nintent: hold\n'
HEAD = "apiVersion: v1alpha1\nkind: "


def fleet_of(files: Mapping[str, str], layer: str = LAYER) -> Fleet:
    return parse_fleet({"fleet.yaml": "", "layers/arda.yaml": layer, **files})


def found(patch: str, *, layer: str = f"{LAYER}patches: [patches/a.yaml]\n", **more: str) -> list[str]:
    files = {name.replace("_", "/") + ".yaml": text for name, text in more.items()}
    return check_patches(fleet_of({"patches/a.yaml": patch, **files}, layer), schema_of)


@pytest.mark.parametrize(
    "patch",
    [
        "",
        "machine:\n  kubelet:\n    extraArgs:\n      max-pods: 200\n",
        "machine:\n  sysctls:\n    vm.max_map_count: 262144\n",
        "machine: {sysctls: {a.b: c}}\n---\n{}\n",
        "machine: {features: {hostDNS: {forwardKubeDNSToHost: {$patch: delete}}}}\n",
        f"{HEAD}TimeSyncConfig\nntp: {{servers: [192.168.1.1]}}\n",
    ],
)
def test_what_talos_takes_is_no_fault(patch: str) -> None:
    assert found(patch) == []


@pytest.mark.parametrize(
    ("patch", "line"),
    [
        ("machine: [\n", "patches/a.yaml:2: not valid YAML: "),
        ("- op: add\n", "patches/a.yaml:1: is no part of a machine configuration: "),
        (
            "machine:\n  kubelets: {}\n",
            "patches/a.yaml:2: machine.kubelets: no such key; did you mean kubelet?",
        ),
        (
            "machine:\n  network:\n    interfaces:\n      - interface: a\n        dchp: true\n",
            "patches/a.yaml:5: machine.network.interfaces.1.dchp: no such key; did you mean dhcp?",
        ),
        (
            f"#\n---\n{HEAD}KubeProxyConfig\nimage: a\n",
            "patches/a.yaml:4: KubeProxyConfig: kind: Talos v1.13 has no ",
        ),
        (
            "machine:\n  install:\n    extraKernelArgs: [a]\n",
            "patches/a.yaml:3: machine.install.extraKernelArgs: Talos ignores them ",
        ),
        (
            f"{HEAD}HostnameConfig\nauto: stable\n",
            "patches/a.yaml:1: HostnameConfig: hostname: cannot be there together with auto; ",
        ),
        ("machine:\n  token:\n    a: b\n", "patches/a.yaml:2: machine.token: is a map"),
        ("cluster:\n  ca:\n    crt: {$patch: delete}\n", "patches/a.yaml:3: cluster.ca.crt: it is not in "),
        (
            "machine:\n  tokens: {$patch: delete}\n",
            "patches/a.yaml:2: machine.tokens: no such key; did you mean token?",
        ),
        (
            "machine:\n  nodeTaints:\n    a: NoSchedule\n    b: NoWhere\n",
            "patches/a.yaml:4: machine.nodeTaints.b: is not an effect of a taint, with a value before it or without; write it",
        ),
        (
            f"{HEAD}UserVolumeConfig\nname: a\nprovisioning:\n  minSize: 1GB\n  diskSelector:\n    match: disk.foo\n",
            "patches/a.yaml:7: UserVolumeConfig a: provisioning.diskSelector.match: is no expression that Talos can read: ",
        ),
        (
            "kind: LinkConfig\nname: a\n",
            "patches/a.yaml:1: says nothing of a configuration, and Talos refuses ",
        ),
        ("machine:\n  ca:\n    $patch: delete\n", "patches/a.yaml:3: machine.ca: no patch may change this: "),
    ],
)
def test_what_talos_refuses_is_told(patch: str, line: str) -> None:
    told = found(patch)
    assert told
    assert told[0].startswith(line)


def test_layer_role_and_machine_are_applied_in_this_order() -> None:
    layer = f"{LAYER}patches: [patches/a.yaml]\nrolePatches: {{worker: [patches/b.yaml]}}\n"
    texts = {f"patches/{name}.yaml": f"machine: {{sysctls: {{x: {name}}}}}\n" for name in "abc"}
    fleet = fleet_of({**texts, "machines/m.yaml": f"{MACHINE}patches: [patches/c.yaml]\n"}, layer)
    talos, (machine,) = fleet.talos("arda"), fleet.listed
    assert talos
    worker = patches_of(talos, Role.WORKER, machine.file, fleet.texts)
    assert [patch.path for patch in worker] == ["patches/a.yaml", "patches/b.yaml", "patches/c.yaml"]
    (document,) = patched(({"machine": {}},), worker, Contract.V1_13)
    assert document == {"machine": {"sysctls": {"x": "c"}}}
    leader = patches_of(talos, Role.CONTROLPLANE, None, fleet.texts)
    assert [patch.path for patch in leader] == ["patches/a.yaml"]


def test_a_patch_is_judged_by_what_came_before() -> None:
    layer = f"{LAYER}patches: [patches/a.yaml, patches/b.yaml]\n"
    delete = "machine: {sysctls: {x: {$patch: delete}}}\n"
    assert found("machine: {sysctls: {x: y}}\n", layer=layer, patches_b=delete) == []
    (told,) = found("machine: {sysctls: {y: y}}\n", layer=layer, patches_b=delete)
    assert told.startswith("patches/b.yaml:1: machine.sysctls.x: it is not in ")


def test_a_role_has_patches_of_its_own() -> None:
    vip = "machine:\n  network:\n    interfaces:\n      - interface: a\n        vip: {ip: 10.0.0.1}\n"
    roles = (f"{LAYER}rolePatches: {{{role}: [patches/a.yaml]}}\n" for role in ("controlplane", "worker"))
    assert found(vip, layer=next(roles)) == []
    (told,) = found(vip, layer=next(roles))
    assert told.startswith("patches/a.yaml:3: machine.network.interfaces.1.vip: is only for control planes; ")
    assert found(vip) == [told], "those of the layer are for both"


def test_a_listed_machine_has_patches_of_its_own() -> None:
    machine = f"{MACHINE}patches: [patches/a.yaml]\n"
    bad = "machine: {x: y}\n"
    assert found(bad, layer=LAYER, machines_m=machine)[0].startswith(
        "patches/a.yaml:1: machine.x: no such key; "
    )
    assert found(bad, layer=LAYER, machines_m=f"{machine}config: patches/a.yaml\n") == []


def test_what_the_owner_wrote_is_served_as_it_is() -> None:
    own = "config: {worker: configs/w.yaml, controlplane: configs/w.yaml}\n"
    layer = f"{LAYER}{own}patches: [patches/a.yaml]\n"
    assert found("machine: {x: y}\n", layer=layer, configs_w="a: 1\n") == []
    with pytest.raises(FleetError, match="rolePatches: your own 'config' says that; remove one of the two"):
        found("", layer=f"{LAYER}{own}rolePatches: {{worker: [patches/a.yaml]}}\n", configs_w="a: 1\n")


def test_until_a_version_is_chosen_what_one_of_them_takes_is_no_fault() -> None:
    layer = "kind: talos\ntalos: {version: stable}\npatches: [patches/a.yaml]\n"
    assert found(f"{HEAD}SysctlConfig\nparams: {{a: b}}\n", layer=layer) == []
    assert found("machine: {kubelet: {image: a}}\n", layer=layer) == []
    assert len(found("machine: {x: y}\n", layer=layer)) == 1
    for disk in (
        "machine: {install: {disk: /dev/sdb, diskSelector: {$patch: delete}}}\n",
        f"{HEAD}UnattendedInstallConfig\nprovisioning: {{diskSelector: {{match: 'true'}}}}\n",
    ):
        assert found(disk, layer=layer), "each refuses it, and says something else"


def test_a_sealed_patch_and_those_after_it_wait_for_the_daemon() -> None:
    layer = f"{LAYER}patches: [patches/a.yaml, patches/b.yaml]\n"
    assert found(f"{ARMOR}\n", layer=layer, patches_b="machine: {x: y}\n") == []
    with pytest.raises(
        ConfigurationError, match=r"patches/a\.yaml: is sealed, but not to this host's key; run: "
    ):
        patched((), [PatchFile("patches/a.yaml", f"{ARMOR}\n")], Contract.V1_13)


def test_patch_files_are_in_their_folder() -> None:
    with pytest.raises(FleetError) as caught:
        found("", layer=f"{LAYER}rolePatches:\n  worker:\n    - patches/b.yaml\n")
    assert caught.value.findings == [
        "layers/arda.yaml:5: rolePatches: patches/b.yaml is not a file in patches/; create it or correct the path"
    ]


def test_the_text_for_a_machine() -> None:
    base = load_documents("machine: {type: worker, ca: {crt: YQ==}}\ncluster: {}\n")
    schema = schema_of(Contract.V1_13)
    text = patched_text(base, [PatchFile("a", "machine: {sysctls: {x: 0644}}\n")], schema, Role.WORKER)
    assert "        x: 0644\n" in text
    with pytest.raises(ConfigurationError, match=r"^a:1: machine\.sysctls\.x: it is not in "):
        patched_text(base, [PatchFile("a", "machine: {sysctls: {x: {$patch: delete}}}")], schema, Role.WORKER)
    with pytest.raises(
        ConfigurationError, match=r"^Talos would refuse the configuration: machine\.x: no such key; "
    ):
        patched_text(base, [PatchFile("a", "machine: {x: y}")], schema, Role.WORKER)
