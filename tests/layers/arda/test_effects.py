"""What a commit changes of the configurations of machines, told before it is applied."""

from support.fleets import ARDA, fleet_of
from support.machines import machine_of

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.effects import effects_on_installed, effects_on_listed
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.states import Phase

MACS = [f"52:54:00:00:00:0{number}" for number in range(1, 4)]
SYSCTL = "machine: {sysctls: {a.b: '1'}}\n"
UDEV = "machine: {udev: {rules: [secret]}}\n"


def fleet(arda: str = ARDA, own: str = "", a: str = SYSCTL, b: str = UDEV) -> Fleet:
    return fleet_of(
        ("arda-01", MACS[0], "role: controlplane\n"),
        ("arda-02", MACS[1], f"role: worker\n{own}"),
        ("arda-03", MACS[2], ""),
        arda=arda,
        **{"patches/a_yaml": a, "patches/b_yaml": b},
    )


def test_machines_with_a_role_are_told_what_a_patch_takes() -> None:
    new = fleet(f"{ARDA}patches: [patches/a.yaml]\n", own="patches: [patches/b.yaml]\n")
    live = "its configuration changes without a restart: machine.sysctls.a.b"
    assert [(one.machine, one.text) for one in effects_on_listed(fleet(), new)] == [
        ("arda-01", live),
        ("arda-02", f"{live}; with a restart: machine.udev.rules"),
    ]


def test_a_patch_may_say_the_machines_own_name() -> None:
    name = "apiVersion: v1alpha1\nkind: HostnameConfig\nauto: off\nhostname: arda-02\n---\n"
    (one,) = effects_on_listed(fleet(), fleet(own="patches: [patches/a.yaml]\n", a=f"{name}{SYSCTL}"))
    assert (one.machine, one.text) == (
        "arda-02",
        "its configuration changes without a restart: machine.sysctls.a.b",
    )


def test_nothing_is_said_where_nothing_changes_or_where_the_owner_wrote_the_configurations() -> None:
    assert effects_on_listed(fleet(), fleet()) == ()
    theirs = "config: {controlplane: configs/one.yaml, worker: configs/one.yaml}\n"
    assert effects_on_listed(fleet(), fleet(f"{ARDA}{theirs}")) == ()


def test_another_talos_is_by_a_reinstall_and_another_kubernetes_by_an_upgrade() -> None:
    (one, *_) = effects_on_listed(fleet(), fleet(ARDA.replace("v1.13.9", "v1.14.1")))
    assert one.text == "its configuration changes only by machines reinstall: Talos v1.13.9 → v1.14.1"
    older = fleet(ARDA.replace("v1.13.9", "v1.13.9, kubernetes: v1.35.0"))
    (one, *_) = effects_on_listed(older, fleet())
    assert "only by talosctl upgrade-k8s: machine.kubelet.image v1.35.0 → v1.36" in one.text


def test_of_machines_that_were_seen_only_those_on_a_disk_are_told() -> None:
    new = fleet(f"{ARDA}patches: [patches/a.yaml]\n")
    phases = [Phase.JOINED, Phase.INSTALLED, Phase.DISCOVERED]
    snapshot = Snapshot.of(machine_of(mac, phase=phase) for mac, phase in zip(MACS, phases, strict=True))
    told = effects_on_installed(fleet(), new, snapshot)
    assert [one.machine for one in told] == ["arda-01", "arda-02"]


def test_sealed_patches_are_named_and_what_follows_them_is_not_compared() -> None:
    sealed = "-----BEGIN AGE ENCRYPTED FILE-----\n{}\n-----END AGE ENCRYPTED FILE-----\n"
    arda = f"{ARDA}patches: [patches/a.yaml, patches/b.yaml]\n"
    old = fleet(arda, a=sealed.format("one"), b=SYSCTL)
    new = fleet(arda, a=sealed.format("two"), b=UDEV)
    (one, _) = effects_on_listed(old, new)
    assert one.text == "its configuration changes sealed patches, which only a daemon can compare"
