"""The chains: what each makes of a machine, and what holds it when something is missing."""

from collections.abc import Mapping
from types import MappingProxyType

import pytest
from support.fleets import ARDA, INITRAMFS, KERNEL, READY, SCHEMATIC, fleet_of
from support.machines import machine_of

from iluvatar_pxe.boot.case import Context, Subject, case_of
from iluvatar_pxe.boot.chains import CHAINS
from iluvatar_pxe.boot.chains.talos import asset_names, kernel_args
from iluvatar_pxe.boot.plan import BootLocal, Hold, RunScript, ToBeMade
from iluvatar_pxe.boot.stages import stage_of_asset
from iluvatar_pxe.catalogue.coming import Coming
from iluvatar_pxe.catalogue.lock import AssetsLock, Channels
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.fleet.models import Fleet, LocalMethod, Talos
from iluvatar_pxe.fleet.sealed import ARMOR
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Directive, Intent, Role, Wipe
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import CpuArch

MAC = "52:54:00:77:00:01"
RESCUE = "#!ipxe\nshell\n"

TALOS_1_14 = (
    "talos.platform=metal console=tty0 slab_nomerge= pti=on consoleblank=0 printk.devkmsg=on selinux=1 "
    "module.sig_enforce=1 proc_mem.force_override=never"
)
"""Image Factory's ``cmdline-metal-amd64`` of 1.14; 1.13 has two more."""
TALOS_1_13 = f"{TALOS_1_14} init_on_alloc=1 nvme_core.io_timeout=4294967295"


def subject(
    boot: str = "chain: talos\nconfig: configs/one.yaml\n",
    *,
    fleet: Fleet | None = None,
    ready: frozenset[str] = READY,
    arch: CpuArch = CpuArch.X86_64,
    role: Role | None = None,
    links: Mapping[str, str] = MappingProxyType({}),
    coming: Coming = MappingProxyType({}),
) -> Subject:
    sighting = Sighting(mac=MAC, firmware=Firmware.IPXE, arch=arch)
    declared = fleet or fleet_of(("one", MAC, boot), rescue_ipxe=RESCUE)
    context = Context(ready=ready, links=links, coming=coming)
    return Subject(case_of(sighting, Snapshot(), declared, context), role)


def layer(version: str, *extra: str) -> Talos:
    return Talos(version=version, schematic=SCHEMATIC, extraKernelArgs=extra)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v1.12.11", TALOS_1_13),
        ("v1.13.9", TALOS_1_13),
        ("v1.13.0-alpha.1", TALOS_1_13),
        ("v1.14.0-rc.1", TALOS_1_14),
        ("v1.14.0", TALOS_1_14),
        ("v1.100.0", TALOS_1_14),
        ("v2.0.0", TALOS_1_14),
    ],
)
def test_talos_kernel_arguments_by_version(version: str, expected: str) -> None:
    assert " ".join(kernel_args(layer(version))) == expected


def test_extra_kernel_arguments_come_last_and_win() -> None:
    assert kernel_args(layer("v1.14.0", "console=ttyS0", "pti=auto"))[-2:] == ("console=ttyS0", "pti=auto")


def test_talos_assets_lie_as_image_factory_names_them() -> None:
    assert asset_names(layer("v1.13.9"), "arm64") == (
        f"talos/{SCHEMATIC}/v1.13.9/kernel-arm64",
        f"talos/{SCHEMATIC}/v1.13.9/initramfs-arm64.xz",
    )


def test_talos_waits_for_a_configuration_that_stays_sealed() -> None:
    fleet = fleet_of(("one", MAC, "chain: talos\nconfig: secret.yaml\n"), secret_yaml=f"{ARMOR}\nx\n")
    plan = CHAINS["talos"](subject(fleet=fleet))
    assert isinstance(plan, Hold)
    assert plan.screen[0].endswith("secret.yaml is sealed, and the boot server's key does not open it.")
    assert "iluvatar-pxe fleet recover --key FILE" in plan.screen[1]


def test_talos_boots_when_all_is_there() -> None:
    plan = CHAINS["talos"](subject())
    assert isinstance(plan, RunScript)
    assert (plan.chain, plan.name, plan.template) == ("talos", "one", "talos.ipxe")
    assert plan.why == "machines/one.yaml sets chain talos, Talos v1.13.9"
    assert plan.config == "machine: {}\n"
    assert plan.values == {
        "version": "v1.13.9",
        "kernel": KERNEL,
        "initramfs": INITRAMFS,
        "kernel_args": TALOS_1_13,
    }


@pytest.mark.parametrize("missing", [KERNEL, INITRAMFS])
def test_talos_holds_while_a_file_is_missing(missing: str) -> None:
    plan = CHAINS["talos"](subject(ready=READY - {missing}))
    assert isinstance(plan, Hold)
    assert plan.screen == (
        f"It cannot boot yet: the file {missing} is missing.",
        "What to do: give its address in assets.entries of fleet.yaml, or copy it into the assets directory.",
    )
    assert plan.why == f"machines/one.yaml sets chain talos, but the file {missing} is missing"


@pytest.mark.parametrize("link", [KERNEL, KERNEL.rpartition("/")[0], "talos"])
def test_a_file_behind_a_broken_link_is_held_for_the_link(link: str) -> None:
    why = "/assets/link: is a link to /mnt: No such file or directory; correct or remove the link"
    plan = CHAINS["talos"](subject(ready=READY - {KERNEL}, links={link: why}))
    assert isinstance(plan, Hold)
    assert plan.screen == (
        "It cannot boot yet: /assets/link: is a link to /mnt: No such file or directory.",
        "What to do: correct or remove the link.",
    )


def test_talos_holds_arm64_by_its_own_files() -> None:
    plan = CHAINS["talos"](subject(arch=CpuArch.ARM64))
    assert isinstance(plan, Hold)
    assert f"talos/{SCHEMATIC}/v1.13.9/kernel-arm64 is missing" in plan.why


@pytest.mark.parametrize("arch", [CpuArch.I386, CpuArch.ARM32, CpuArch.RISCV64])
def test_talos_holds_a_processor_it_does_not_run_on(arch: CpuArch) -> None:
    plan = CHAINS["talos"](subject(arch=arch))
    assert isinstance(plan, Hold)
    assert plan.screen == (
        f"It cannot boot yet: Talos runs on x86_64 and arm64, not on {arch}.",
        "What to do: choose another chain.",
    )


def test_talos_holds_without_its_layer() -> None:
    plan = CHAINS["talos"](subject(fleet=Fleet()))
    assert isinstance(plan, Hold)
    assert plan.screen[1] == "What to do: create it."


def test_talos_fetches_what_its_layer_gives_the_role() -> None:
    fleet = fleet_of(("one", MAC, "role: worker\n"), arda=ARDA + "config: {worker: configs/one.yaml}\n")
    plan = CHAINS["talos"](subject(fleet=fleet, role=Role.WORKER))
    assert isinstance(plan, RunScript)
    assert plan.config == "machine: {}\n"
    plan = CHAINS["talos"](subject(fleet=fleet, role=Role.CONTROLPLANE))
    assert isinstance(plan, Hold)
    assert "has no configuration for role controlplane" in plan.why


@pytest.mark.parametrize("role", [Role.WORKER, Role.CONTROLPLANE])
def test_talos_has_a_configuration_made_where_the_layer_has_none(role: Role) -> None:
    plan = CHAINS["talos"](subject(fleet=fleet_of(("one", MAC, "")), role=role))
    assert isinstance(plan, RunScript)
    assert plan.config == ToBeMade("arda", role)


@pytest.mark.parametrize("wipe", Wipe)
def test_talos_wipes_what_is_installed_by_the_boot_that_is_for_that(wipe: Wipe) -> None:
    asked = subject(fleet=fleet_of(("one", MAC, "")), role=Role.WORKER)
    machine = machine_of(MAC, directive=Directive(Intent.REINSTALL, wipe=wipe))
    plan = CHAINS["talos"](replace(asked, case=replace(asked.case, machine=machine)))
    assert isinstance(plan, RunScript)
    wipes = "talos.experimental.wipe=system" in str(plan.values["kernel_args"]).split()
    assert (
        wipes
        == plan.why.endswith(", which first wipes the Talos that is installed")
        == (wipe.next_boot_wipes)
    )


def test_talos_tells_on_the_screen_why_it_will_not_be_installed() -> None:
    asked = subject(fleet=fleet_of(("one", MAC, "")), role=Role.WORKER)
    case = replace(
        asked.case, machine=machine_of(MAC), context=Context(ready=READY, no_disk=lambda *_: "sda is full")
    )
    plan = CHAINS["talos"](replace(asked, case=case))
    assert isinstance(plan, RunScript)
    assert plan.notes == (
        "Talos is not installed yet: sda is full.",
        "It waits, and goes on by itself when that is resolved.",
    )


@pytest.mark.parametrize("method", [None, *LocalMethod])
def test_local_keeps_the_method(method: LocalMethod | None) -> None:
    line = f"local: {method}\n" if method else ""
    plan = CHAINS["local"](subject(f"chain: local\n{line}"))
    assert plan == BootLocal(why="machines/one.yaml sets chain local", name="one", method=method)


def test_a_listed_machine_that_is_held_is_told_which_line_says_so() -> None:
    plan = CHAINS["hold"](subject("chain: hold\n"))
    assert isinstance(plan, Hold)
    assert plan.name == "one"
    assert plan.screen[0] == "The fleet holds this machine: machines/one.yaml sets chain hold."


def test_ipxe_runs_the_fleets_script() -> None:
    plan = CHAINS["ipxe"](subject("chain: ipxe\nscript: rescue.ipxe\n"))
    assert isinstance(plan, RunScript)
    assert plan.values == {"path": "rescue.ipxe", "script": RESCUE}
    assert plan.config is None
    assert plan.why == "machines/one.yaml sets chain ipxe, script rescue.ipxe"


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("ipxe/snponly.efi", Stage.NBP),
        (KERNEL, Stage.KERNEL),
        (INITRAMFS, Stage.INITRAMFS),
        ("other/kernel", None),
        ("ipxe-notes.txt", None),
        ("", None),
    ],
)
def test_the_stage_that_a_file_is(name: str, stage: Stage | None) -> None:
    assert stage_of_asset(name) is stage


def test_machines_wait_while_no_commit_says_which_version_is_stable() -> None:
    fleet = fleet_of(
        ("one", MAC, "config: configs/one.yaml\n"), arda="kind: talos\ntalos: {version: stable}\n"
    )
    plan = CHAINS["talos"](subject(fleet=fleet))
    assert isinstance(plan, Hold)
    assert plan.screen == (
        "It cannot boot yet: which version of Talos is 'stable' for layers/arda.yaml is not known yet.",
        "What to do: wait while its publisher is asked, or write a version into layers/arda.yaml.",
    )
    assert plan.lack
    for trouble, remedy in (
        ("no version is listed", ""),
        ("a: does not answer", "check the connection, or "),
    ):
        stuck = Progress(state=State.WAITING, trouble="; ".join(filter(None, (trouble, remedy[:-5]))))
        told = CHAINS["talos"](subject(fleet=fleet, coming={"talos stable": stuck}))
        assert isinstance(told, Hold)
        assert told.screen[0].endswith(f"is not known yet: {trouble}.")
        assert told.screen[1] == f"What to do: {remedy}write a version into layers/arda.yaml."
    pinned = fleet.pinned(AssetsLock(versions={"talos": Channels(stable="v1.13.9")}))
    ready = CHAINS["talos"](subject(fleet=pinned))
    assert isinstance(ready, RunScript)
    assert ready.values["kernel"] == KERNEL


def test_kernel_arguments_of_a_described_schematic_are_in_the_files_names_and_in_the_command_line() -> None:
    arda = "kind: talos\ntalos: {version: v1.14.0, extraKernelArgs: [noapic, nolapic]}\n"
    fleet = fleet_of(("one", MAC, "config: configs/one.yaml\n"), arda=arda)
    schematic = "9cba8e32753f91a16c1837ab8abf356af021706ef284aef07380780177d9a06c"
    files = frozenset(f"talos/{schematic}/v1.14.0/{name}" for name in ("kernel-amd64", "initramfs-amd64.xz"))
    plan = CHAINS["talos"](subject(fleet=fleet, ready=files))
    assert isinstance(plan, RunScript)
    assert {plan.values["kernel"], plan.values["initramfs"]} == files
    assert str(plan.values["kernel_args"]).endswith(" noapic nolapic")
