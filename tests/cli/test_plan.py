"""``iluvatar-pxe plan`` as a process, against a real state directory: what it says, and that it changes nothing."""

import asyncio
import json
import os
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import pytest
from support.daemon import HERE, Settings, loopback_settings, write_settings
from support.fleets import SCHEMATIC
from support.waiting import PATIENCE
from support.warm import run_warm

from iluvatar_pxe.admin.edits import with_directive
from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.gitops.directory import read_fleet
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Directive, Intent
from iluvatar_pxe.wire.pxe import CpuArch

TALOS = Path(__file__).parent.parent / "replies" / "talos"
FOLDER = f"talos/{SCHEMATIC}/v1.13.9"
ASSETS = {
    "ipxe/undionly.kpxe": 1 << 18,
    "ipxe/snponly.efi": 3 << 19,
    f"{FOLDER}/kernel-amd64": 5 << 20,
    f"{FOLDER}/initramfs-amd64.xz": 1 << 19,
}
"""With their sizes in octets."""
RULES = """
rules:
  - {name: television, match: {mac: "52:54:99"}, intent: local}
  - {name: noise, match: {mac: "52:54:98"}, intent: ignore}
  - {name: Dells, match: {manufacturer: "Dell*"}, layer: arda, role: worker}
  - {name: PCs, match: {arch: x86_64, firmware: "uefi-*"}, layer: arda}
"""
FLEET = {
    "fleet.yaml": f"enrolment: {{mode: join, countdown: 7}}\n{RULES}",
    "layers/arda.yaml": (
        f"kind: talos\ntalos: {{version: v1.13.9, schematic: {SCHEMATIC}}}\n"
        "config: {controlplane: configs/leader.yaml, worker: configs/worker.yaml}\n"
    ),
    "configs/leader.yaml": (TALOS / "v1.13-controlplane.yaml").read_text(),
    "configs/worker.yaml": (TALOS / "v1.13-worker.yaml").read_text(),
    "machines/held.yaml": 'match: {macs: ["52:54:00:77:00:03"]}\nintent: hold\n',
    "machines/listed.yaml": 'match: {macs: ["52:54:00:77:00:02", "52:54:00:77:00:04"]}\nrole: controlplane\n',
    "machines/gone.yaml": 'match: {macs: ["52:54:00:77:00:06"]}\nchain: local\nlocal: 404\n',
    "machines/by-serial.yaml": (
        "match: {serial: S77, uuid: 4c4c4544-0042-3510-8054-b7c04f4d3332}\nchain: local\n"
    ),
}
SEEN, HELD_BY_HAND, NEW = "52:54:00:77:00:01", "52:54:00:77:00:05", "52:54:00:77:00:99"

WITHOUT_CAPABILITIES = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
"""Root may write everything, but for these capabilities."""

Files = dict[str, str]


class State:
    """A daemon's state directory, without the daemon."""

    def __init__(self, directory: Path, settings: Settings = MappingProxyType({})) -> None:
        self.directory = directory
        self.state = directory / "state"
        self.config = directory / "config.toml"
        self.url = f"sqlite:///{self.state / 'inventory.db'}"
        write_settings(self.config, loopback_settings(self.state) | dict(settings))

    def plant(self, fleet: Files, assets: dict[str, int]) -> None:
        for name, text in fleet.items():
            self._file(self.state / "fleet" / name).write_text(text)
        for name, size in assets.items():
            os.truncate(self._touched(self.state / "assets" / name), size)

    def fill(self) -> None:
        asyncio.run(self.with_inventory(see_two))

    async def with_inventory(self, use: Callable[["State", Inventory], Awaitable[None]]) -> None:
        inventory = Inventory(self.url)
        await inventory.open()
        try:
            await use(self, inventory)
        finally:
            await inventory.close()

    def plan(self, *arguments: str, prefix: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        words = ["plan", *arguments, "--config", str(self.config)]
        command = [*prefix, *HERE, *words]
        if not prefix:
            ended = run_warm(*words)
            return subprocess.CompletedProcess(command, ended.status, ended.output, ended.error)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)

    def pages(self) -> dict[str, tuple[int, int, bytes]]:
        """Everything that is there, with its rights, the time of its last change, and what is in it."""
        found = {}
        for path in [self.directory, *self.directory.rglob("*")]:
            status = path.stat()
            content = path.read_bytes() if path.is_file() else b""
            found[str(path)] = (status.st_mode, status.st_mtime_ns, content)
        return found

    @staticmethod
    def _file(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _touched(self, path: Path) -> Path:
        self._file(path).touch()
        return path


async def see_two(state: State, inventory: Inventory) -> None:
    """One that was assigned, and one that somebody holds."""
    fleet = read_fleet(state.state / "fleet")
    seen = Sighting(mac=SEEN, firmware=Firmware.BIOS_PXE, arch=CpuArch.X86_64, product="Q35")
    machine = inventory.observe(seen, Stage.DISCOVER)
    place = PlaceRequest(layer="arda", rule='rule 4 "PCs" of fleet.yaml')
    await inventory.assign(machine.id, place, fleet)
    other = inventory.observe(
        Sighting(mac=HELD_BY_HAND, firmware=Firmware.UEFI_PXE, arch=CpuArch.X86_64), Stage.DISCOVER
    )
    directive = with_directive(Directive(Intent.HOLD, "anna", "a new disk comes"))
    await inventory.change(other.id, directive, Happening.CHANGED, "hold", "anna")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> State:
    """What no test changes."""
    filled = State(tmp_path_factory.mktemp("plan"))
    filled.plant(FLEET, ASSETS)
    filled.fill()
    return filled


@contextmanager
def read_only_tree(directory: Path) -> Iterator[None]:
    """Take the right to write from the owner, too, inside the block."""
    rights = {path: path.stat().st_mode for path in [directory, *directory.rglob("*")]}
    for path, mode in rights.items():
        path.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for path, mode in rights.items():
            path.chmod(mode)


CASES = {
    "assigned": (
        ("arda-01",),
        0,
        (
            "arda-01\n  MACs        52:54:00:77:00:01\n",
            'place       worker of arda, by rule 4 "PCs" of fleet.yaml',
            "seen        in 1 boot; phase assigned, intent boot",
            "asks as     bios-pxe on x86_64",
            "rule 4 \"PCs\": firmware is 'bios-pxe', not 'uefi-*'",
            "action      runs ipxe/undionly.kpxe (0.2 MiB)",
            "echo arda-01: starting Talos v1.13.9 from 127.0.0.1",
            f"     5.0 MiB  {FOLDER}/kernel-amd64\n     0.5 MiB  {FOLDER}/initramfs-amd64.xz\n",
            "Configuration: configs/worker.yaml, 2,638 bytes, secrets masked",
            "          token: (masked)",
            "Result: it boots chain talos.",
        ),
    ),
    "by MAC, as other firmware": (
        ("52-54-00-77-00-01", "--firmware", "uefi-http"),
        0,
        ("asks as     uefi-http on x86_64", "runs ipxe/snponly.efi (1.5 MiB)", 'rule 4 "PCs": matches'),
    ),
    "chained iPXE": (
        ("arda-01", "--firmware", "ipxe"),
        0,
        ("1. iPXE asks\n", "Result: it boots chain talos."),
    ),
    "listed, never seen": (
        ("listed",),
        0,
        (
            "MACs        52:54:00:77:00:02",
            "place       controlplane of arda, by machines/listed.yaml",
            "seen        never",
            "Rules of fleet.yaml: skipped, because a file lists it",
            "gets        listed, controlplane of arda",
            "place       listed by machines/listed.yaml: layer arda",
            "Configuration: configs/leader.yaml, 6,887 bytes",
        ),
    ),
    "listed by its serial number": (("by-serial",), 0, ("boots its own disk",)),
    "sent to its disk by its firmware": (
        ("gone",),
        0,
        ("action      boots its own disk\n\nResult: it boots its own disk.",),
    ),
    "new": (
        (NEW,),
        0,
        (
            "place       none yet: no file lists it, and none was assigned",
            "rule 1 \"television\": mac is '52:54:00:77:00:99', not '52:54:99*'",
            "rule 3 \"Dells\": manufacturer is not known yet, and 'Dell*' is required",
            'rule 4 "PCs": matches',
            "counts down 7 s",
            "prompt --timeout 7000",
            "iPXE asks again after the countdown",
            "gets        probably arda-02, worker of arda",
            "Result: it boots chain talos.",
        ),
    ),
    "a rule says local": (("52:54:99:00:00:01",), 0, ('rule 1 "television": matches', "boots its own disk.")),
    "a rule says ignore": (("52:54:98:00:00:01",), 1, ("action      gets no answer",)),
    "no rule": (
        (NEW, "--firmware", "bios-pxe"),
        1,
        (
            "rule 4 \"PCs\": firmware is 'bios-pxe', not 'uefi-*'",
            "echo 52:54:00:77:00:99 waits.",
            "Result: it waits.",
        ),
    ),
    "another processor": ((NEW, "--arch", "riscv64"), 1, ("no iPXE binary exists for uefi-pxe on riscv64",)),
    "a Raspberry Pi": ((NEW, "--firmware", "raspberry-pi"), 1, ("Result: it waits.",)),
    "held by its file": (("held",), 1, ("machines/held.yaml sets intent hold", "Result: it waits.")),
    "held by hand": (
        (HELD_BY_HAND,),
        1,
        ("intent      anna requested hold: a new disk comes", "intent hold"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_it_says(state: State, case: str) -> None:
    arguments, status, expected = CASES[case]
    result = state.plan(*arguments)
    assert (result.returncode, result.stderr) == (status, "")
    assert [text for text in expected if text not in result.stdout] == []
    prose = [line for line in result.stdout.splitlines() if not line.startswith("      ") and "/" not in line]
    assert max(len(line) for line in prose) <= 80


def test_no_secret_is_shown(state: State) -> None:
    secrets = (TALOS / "secrets.yaml").read_text().split()
    keys = [word for word in secrets if len(word) > 20 and "CERTIFICATE" not in word]
    for format_ in ((), ("--json",)):
        output = state.plan("listed", *format_).stdout
        assert "configs/leader.yaml" in output
        assert [key for key in keys if key in output] == []


def test_json_tells_the_same(state: State) -> None:
    result = state.plan(NEW, "--json")
    page = json.loads(result.stdout)
    assert (result.returncode, page["boots"]) == (0, True)
    assert set(page) == {"machine", "assumed", "rules", "stages", "files", "config", "boots"}
    assert [rule["why_not"] is None for rule in page["rules"]] == [False, False, False, True]
    assert [stage["plan"] for stage in page["stages"]] == [
        "Chainload",
        "CountDown",
        "AssignFirst",
        "RunScript",
    ]
    assert page["stages"][0]["program"] == {"name": "ipxe/snponly.efi", "bytes": 3 << 19}
    assert page["stages"][2]["given"] == {
        "name": "arda-02",
        "layer": "arda",
        "role": "worker",
        "certain": False,
    }
    assert page["stages"][3]["script"].startswith("#!ipxe\n")
    kernel = {"name": f"{FOLDER}/kernel-amd64", "bytes": 5 << 20, "too_large": False, "coming": None}
    assert page["files"][0] == kernel
    assert (page["config"]["file"], page["config"]["bytes"]) == ("configs/worker.yaml", 2638)
    assert not json.loads(state.plan("held", "--json").stdout)["boots"]


def test_boot_files_that_are_missing_are_said_so(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.plant(FLEET, {name: size for name, size in ASSETS.items() if "initramfs" not in name})
    result = state.plan("listed")
    assert result.returncode == 1
    assert f"     5.0 MiB  {FOLDER}/kernel-amd64\n" in result.stdout
    assert f"  {FOLDER}/initramfs-amd64.xz is missing, and nothing fetches it\n" in result.stdout
    assert "Result: it waits." in result.stdout


def test_a_raspberry_pi_is_told_its_files_and_those_too_large_for_it(tmp_path: Path) -> None:
    state = State(tmp_path)
    fleet = {
        "fleet.yaml": "rules: [{match: {firmware: raspberry-pi}, layer: ainur}]\n",
        "layers/ainur.yaml": "kind: k3s\nimage: ubuntu\nconfigTxt: [gpu_mem=16]\n",
    }
    files = {"vmlinuz": 5 << 20, "initrd.img": 50 << 20, "start4.elf": 1 << 20, "overlays/x.dtbo": 1}
    state.plant(fleet, {f"raspberry-pi/ubuntu/{name}": size for name, size in files.items()})
    result = state.plan("dc:a6:32:00:00:01", "--firmware", "raspberry-pi")
    assert (result.returncode, result.stderr) == (0, "")
    for text in (
        "asks as     raspberry-pi on arm64",
        "gets        probably ainur-01, server of ainur",
        "its place is recorded, and the firmware gets its answer",
        "      initramfs initrd.img followkernel\n",
        "      gpu_mem=16\n",
        "    50.0 MiB  raspberry-pi/ubuntu/initrd.img: may be too large for a Raspberry Pi to fetch by TFTP\n",
        "     5.0 MiB  raspberry-pi/ubuntu/vmlinuz\n",
        "Result: it boots chain raspberry-pi.",
    ):
        assert text in result.stdout
    assert "overlays" not in result.stdout


def test_before_the_first_start_it_goes_by_what_that_would_make(tmp_path: Path) -> None:
    state = State(tmp_path, {"fleet": {"source": "hosted"}})
    before = state.pages()
    result = state.plan(NEW)
    assert result.stderr == ""
    assert "inventory.db does not exist yet; no machine was seen" in " ".join(result.stdout.split())
    assert "git/fleet.git" in result.stdout
    assert "PCs and servers" in result.stdout, "the starter fleet's rule"
    assert "mode window; the window is open for 1 day" in result.stdout
    assert state.pages() == before


@pytest.mark.parametrize(
    ("arguments", "status", "line"),
    [
        (("nobody",), 1, "nobody: no machine has this name, MAC or ID"),
        (("52:54:00",), 1, "52:54:00: no machine has this name, MAC or ID"),
    ],
)
def test_what_does_not_exist_is_one_line(
    state: State, arguments: tuple[str, ...], status: int, line: str
) -> None:
    result = state.plan(*arguments)
    assert (result.returncode, result.stdout) == (status, "")
    assert result.stderr.startswith(f"iluvatar-pxe: {line}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [(), (NEW, "--firmware", "oven"), (NEW, "--arch", "z80"), (NEW, "x")])
def test_wrong_usage(state: State, arguments: tuple[str, ...]) -> None:
    result = state.plan(*arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_a_faulty_fleet_is_told_and_nothing_else(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.plant({"fleet.yaml": "colour: red\n"}, {})
    result = state.plan(NEW)
    assert (result.returncode, result.stdout) == (2, "")
    assert "fleet.yaml:1: colour: no such key" in result.stderr


def test_without_an_address_an_example_stands_for_it(tmp_path: Path) -> None:
    state = State(tmp_path, {"network": {"interfaces": ["none0"]}})
    state.plant(FLEET, ASSETS)
    result = state.plan("by-serial", "--firmware", "ipxe")
    assert (result.returncode, result.stderr) == (0, "")
    assert "this server http://192.0.2.1" in result.stdout
    assert "an example: it has no address now" in " ".join(result.stdout.split())


def test_what_is_closed_to_this_user_is_one_line(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    state = State(tmp_path, {"database": {"url": f"sqlite:///{closed}/inventory.db"}})
    state.plant(FLEET, ASSETS)
    closed.mkdir(mode=0)
    result = state.plan(NEW, prefix=WITHOUT_CAPABILITIES)
    closed.chmod(0o700)
    line = f"{closed}/inventory.db: cannot be read: Permission denied; try it with sudo"
    assert (result.returncode, result.stdout, result.stderr) == (1, "", f"iluvatar-pxe: {line}\n")


def test_it_changes_nothing(state: State) -> None:
    before = state.pages()
    for arguments in (("arda-01",), (NEW,), ("listed", "--json"), ("nobody",)):
        state.plan(*arguments)
    assert state.pages() == before


def test_it_needs_no_right_to_write(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.plant(FLEET, ASSETS)
    state.fill()
    with read_only_tree(state.directory):
        before = state.pages()
        result = state.plan("arda-01", prefix=WITHOUT_CAPABILITIES)
        assert (result.returncode, result.stderr) == (0, "")
        assert "Result: it boots chain talos." in result.stdout
        assert state.pages() == before


def test_beside_a_daemon_it_sees_what_that_has_recorded(tmp_path: Path) -> None:
    """What was committed last is in the database's log, not in its file yet."""
    state = State(tmp_path)
    state.plant(FLEET, ASSETS)
    results = []

    async def recorded(_: State, inventory: Inventory) -> None:
        await see_two(state, inventory)
        results.append(await asyncio.to_thread(state.plan, "arda-01"))

    asyncio.run(state.with_inventory(recorded))
    assert results[0].returncode == 0
    assert "phase assigned" in results[0].stdout
