"""The example fleets of docs/examples: each is valid, and a machine of it boots what it is an example of."""

import json
import shutil
from pathlib import Path

import pytest
from simulate.ipxe.test_interpreter import Run, content
from support.command import Host
from support.daemon import Daemon
from support.warm import run_warm

from iluvatar_pxe.simulate.ipxe.interpreter import Action, Booted, Ending, Fetch, Program, Result
from iluvatar_pxe.values import replace

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
NAMES = sorted(path.name for path in EXAMPLES.iterdir())
MAC = "52:54:00:12:34:56"
SERVER = "http://10.77.0.2:8080"
RESCUE = f"initrd=sysresccd.img archisobasedir=sysresccd archiso_http_srv={SERVER}/assets/systemrescue/ ip=dhcp checksum"
ENDINGS: dict[tuple[str, str, str], Ending] = {
    ("netboot.xyz", "efi", "x86_64"): Program("http://boot.netboot.xyz/ipxe/netboot.xyz.efi"),
    ("netboot.xyz", "efi", "arm64"): Program("http://boot.netboot.xyz/ipxe/netboot.xyz-arm64.efi"),
    ("netboot.xyz", "pcbios", "i386"): Program("http://boot.netboot.xyz/ipxe/netboot.xyz.kpxe"),
    ("memtest", "efi", "x86_64"): Program(f"{SERVER}/assets/memtest/memtest86+x64.efi"),
    ("memtest", "pcbios", "i386"): Booted("memtest86+x64.bin", ""),
    ("rescue", "efi", "x86_64"): Booted("vmlinuz", RESCUE),
    ("debian", "efi", "x86_64"): Booted(
        "linux",
        "initrd=initrd.gz auto=true priority=critical interface=auto "
        f"url={SERVER}/assets/debian/preseed.cfg --- quiet",
    ),
    ("ubuntu", "efi", "x86_64"): Booted(
        "vmlinuz",
        f"initrd=initrd ip=dhcp url={SERVER}/assets/ubuntu/server.iso autoinstall "
        f"ds=nocloud;s={SERVER}/assets/ubuntu/ cloud-config-url=/dev/null",
    ),
}
BOOTS = {
    "memtest": "memtest86+x64.bin is started",
    "rescue": "vmlinuz is started",
    "debian": "linux is started",
    "ubuntu": "vmlinuz is started",
    "menu": "boots its own disk",
}
LISTED = "sha256 of the publisher, not signed"
DOWNLOADS = {
    "debian": {"debian/linux": LISTED, "debian/initrd.gz": LISTED},
    "ubuntu": {
        "ubuntu/netboot.tar.gz": "not pinned yet: pinned on first use",
        "ubuntu/server.iso": "sha256 of the publisher, signed",
    },
}
FILES = {
    "memtest": ["memtest/memtest86+x64.bin", "memtest/memtest86+x64.efi"],
    "rescue": [f"systemrescue/sysresccd/boot/x86_64/{name}" for name in ("vmlinuz", "sysresccd.img")],
    "debian": ["debian/linux", "debian/initrd.gz"],
    "ubuntu": ["ubuntu/vmlinuz", "ubuntu/initrd"],
    "menu": [],
}


def the_script(name: str) -> str:
    (script,) = (EXAMPLES / name / "scripts").iterdir()
    return script.read_text().replace("#!ipxe\n", f"#!ipxe\nset server {SERVER}\n", 1)


def everything(action: Action) -> Result:
    return content("MZ") if isinstance(action, Fetch) else None


def nothing(action: Action) -> Result:
    return "it is not there" if isinstance(action, Fetch) else None


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_a_valid_fleet(name: str) -> None:
    ended = run_warm("fleet", "validate", str(EXAMPLES / name))
    assert ended.status == 0, ended.error
    assert ended.output.startswith(f"{EXAMPLES / name}: valid: 1 machine")


@pytest.mark.parametrize(("name", "platform", "arch"), ENDINGS)
def test_what_its_script_boots(name: str, platform: str, arch: str) -> None:
    ending = Run(the_script(name), everything, platform, arch).ending
    if isinstance(ending, Booted):
        ending = replace(ending, command_line=" ".join(ending.command_line.split()))
    assert ending == ENDINGS[name, platform, arch]


@pytest.mark.parametrize(("name", "platform", "arch"), ENDINGS)
def test_without_its_files_a_machine_goes_on_to_its_disk(name: str, platform: str, arch: str) -> None:
    run = Run(the_script(name), nothing, platform, arch)
    assert run.ipxe.screen[-1].endswith("does not start. Going on to the next entry of the boot order.")
    assert not isinstance(run.ending, Booted | Program)


@pytest.mark.parametrize("name", BOOTS)
def test_a_machine_of_it_is_simulated_to_the_end(name: str, tmp_path: Path) -> None:
    settings: dict[str, dict[str, object]] = {
        "fleet": {"source": str(EXAMPLES / name)},
        "simulate": {"as_real": True},
    }
    daemon = Daemon(tmp_path, settings)
    for file in FILES[name]:
        (daemon.assets / file).parent.mkdir(parents=True, exist_ok=True)
        (daemon.assets / file).write_bytes(b"MZ" + bytes(100))
    with daemon:
        config = str(tmp_path / "config.toml")
        ended = run_warm("simulate", "ipxe", "--mac", MAC, "--json", "--config", config)
        report = json.loads(ended.output)
        assert (ended.status, report["result"][: len(BOOTS[name])]) == (0, BOOTS[name]), report


@pytest.mark.parametrize(("name", "downloads"), DOWNLOADS.items())
def test_what_can_be_downloaded_is_downloaded(name: str, downloads: dict[str, str], tmp_path: Path) -> None:
    host = Host(tmp_path)
    shutil.copytree(EXAMPLES / name, host.fleet, dirs_exist_ok=True)
    rows = json.loads(host.run("assets", "status", "--json").output)
    found = {row["name"]: row["check"] for row in rows if not row["name"].startswith("ipxe/")}
    assert found == downloads


def test_every_example_is_named_in_the_documents() -> None:
    text = (EXAMPLES.parent / "fleet.md").read_text()
    assert [name for name in NAMES if f"(examples/{name}/fleet.yaml)" not in text] == []


def test_the_menus_scripts_are_those_of_the_other_examples() -> None:
    for script in (EXAMPLES / "menu" / "scripts").iterdir():
        (other,) = (EXAMPLES / script.stem / "scripts").iterdir()
        assert script.read_text() == other.read_text()
