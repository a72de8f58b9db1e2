"""The chains: what each makes of a machine, and what holds it when something is missing."""

import pytest
from support.fleets import INITRAMFS, KERNEL, READY, SCHEMATIC, fleet_of, talos

from iluvatar_pxe.boot.chains import CHAINS
from iluvatar_pxe.boot.chains.subject import Subject
from iluvatar_pxe.boot.chains.talos import asset_names, kernel_args
from iluvatar_pxe.boot.plan import BootLocal, Hold, RunScript
from iluvatar_pxe.boot.stages import stage_of_asset
from iluvatar_pxe.fleet.models import HOLD, Boot, Fleet, LocalMethod, TalosLayer
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.wire.pxe import CpuArch

MAC = "52:54:00:77:00:01"
FLEET = fleet_of(talos("one", MAC))
TALOS = Boot(chain="talos", config="configs/one.yaml")

TALOS_1_14 = (
    "talos.platform=metal console=tty0 slab_nomerge= pti=on consoleblank=0 printk.devkmsg=on selinux=1 "
    "module.sig_enforce=1 proc_mem.force_override=never"
)
"""Image Factory's ``cmdline-metal-amd64`` of 1.14; 1.13 has two more."""
TALOS_1_13 = f"{TALOS_1_14} init_on_alloc=1 nvme_core.io_timeout=4294967295"


def subject(
    boot: Boot,
    *,
    fleet: Fleet = FLEET,
    ready: frozenset[str] = READY,
    arch: CpuArch = CpuArch.X86_64,
    name: str | None = "one",
) -> Subject:
    sighting = Sighting(mac=MAC, firmware=Firmware.IPXE, arch=arch)
    return Subject(sighting=sighting, boot=boot, fleet=fleet, ready=ready, arch=arch, name=name)


def layer(version: str, *extra: str) -> TalosLayer:
    return TalosLayer(version=version, schematic=SCHEMATIC, extra_kernel_args=extra)


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


def test_talos_boots_when_all_is_there() -> None:
    plan = CHAINS["talos"](subject(TALOS))
    assert isinstance(plan, RunScript)
    assert (plan.chain, plan.name, plan.template) == ("talos", "one", "talos.ipxe")
    assert plan.why == "machines/one.yaml says chain talos, Talos v1.13.9"
    assert plan.config == FLEET.texts["configs/one.yaml"]
    assert plan.values == {
        "version": "v1.13.9",
        "kernel": KERNEL,
        "initramfs": INITRAMFS,
        "kernel_args": TALOS_1_13,
    }


@pytest.mark.parametrize("missing", [KERNEL, INITRAMFS])
def test_talos_holds_while_a_file_is_missing(missing: str) -> None:
    plan = CHAINS["talos"](subject(TALOS, ready=READY - {missing}))
    assert isinstance(plan, Hold)
    assert plan.screen == (
        f"It cannot boot yet: the file {missing} is missing.",
        "What to do: put it into the assets directory.",
    )
    assert plan.why == f"machines/one.yaml says chain talos, but the file {missing} is missing"


def test_talos_holds_arm64_by_its_own_files() -> None:
    plan = CHAINS["talos"](subject(TALOS, arch=CpuArch.ARM64))
    assert isinstance(plan, Hold)
    assert f"talos/{SCHEMATIC}/v1.13.9/kernel-arm64 is missing" in plan.why


@pytest.mark.parametrize("arch", [CpuArch.I386, CpuArch.ARM32, CpuArch.RISCV64])
def test_talos_holds_a_processor_it_does_not_run_on(arch: CpuArch) -> None:
    plan = CHAINS["talos"](subject(TALOS, arch=arch))
    assert isinstance(plan, Hold)
    assert plan.screen == (
        f"It cannot boot yet: Talos runs on x86_64 and arm64, not on {arch}.",
        "What to do: give it another chain.",
    )


def test_talos_holds_without_its_layer() -> None:
    plan = CHAINS["talos"](subject(TALOS, fleet=Fleet()))
    assert isinstance(plan, Hold)
    assert plan.screen[1] == "What to do: create it."


@pytest.mark.parametrize("method", [None, *LocalMethod])
def test_local_keeps_the_method(method: LocalMethod | None) -> None:
    plan = CHAINS["local"](subject(Boot(chain="local", local=method)))
    assert plan == BootLocal(why="machines/one.yaml says chain local", name="one", method=method)


def test_a_listed_machine_that_is_held_is_told_which_line_says_so() -> None:
    plan = CHAINS["hold"](subject(HOLD))
    assert isinstance(plan, Hold)
    assert plan.name == "one"
    assert plan.screen[0] == "The fleet holds this machine: machines/one.yaml says 'chain: hold'."


def test_an_unlisted_machine_is_told_which_lines_to_add() -> None:
    plan = CHAINS["hold"](subject(HOLD, name=None))
    assert isinstance(plan, Hold)
    assert plan.name == MAC
    assert plan.why == f"no file of the fleet lists {MAC}; unlisted x86_64 machines get hold"


def test_the_lines_on_the_screen_are_a_machine_file() -> None:
    plan = CHAINS["hold"](subject(HOLD, name=None))
    assert isinstance(plan, Hold)
    lines = [line.strip() for line in plan.screen if line.startswith("  ")]
    assert lines == [
        f'match: {{macs: ["{MAC}"]}}',
        "layer: arda",
        "chain: talos",
        "config: configs/NAME.yaml",
    ]
    text = "\n".join(lines[1:]).replace("NAME", "one")
    assert fleet_of(("new", MAC, text)).by_mac[MAC].file.config == "configs/one.yaml"


def test_ipxe_runs_the_fleets_script() -> None:
    fleet = fleet_of(("one", MAC, "chain: ipxe\nscript: rescue.ipxe\n"), rescue_ipxe="#!ipxe\nshell\n")
    plan = CHAINS["ipxe"](subject(Boot(chain="ipxe", script="rescue.ipxe"), fleet=fleet))
    assert isinstance(plan, RunScript)
    assert plan.values == {"script": "#!ipxe\nshell\n"}
    assert plan.config is None
    assert plan.why == "machines/one.yaml says chain ipxe, script rescue.ipxe"


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
