"""The first boot of a seed card on an emulated arm64 machine, until a Pi that it boots has founded a cluster.

Real: the card as ``seed-card`` writes it, Debian 13 with its kernel, cloud-init and Python, the daemon with the lock's
wheels for arm64, and everything that goes over the network. Stand-ins: UEFI and QEMU for a Raspberry Pi, whose kernel is
loaded from the card's FAT; k3s, on the card and on the other Pi; and that Pi, with the real etcd.
"""

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.arm64.firmware import from_disk
from support.arm64.image import LAYOUT, debian_image
from support.arm64.site import SECONDS
from support.k3s.segment import DOWNLOADS, LAYER, Segment, note_downloads
from support.lab_machine import Machine
from support.pi import IMAGE
from support.pi_images import MIB
from support.switched_on import STATION
from support.two_pis import HOME
from support.waiting import wait_until

from iluvatar_pxe.boot.chains.raspberry_pi import FOLDER
from iluvatar_pxe.lab.guest.firmware import firmware_named
from iluvatar_pxe.lab.guest.guest import start_guest
from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace
from iluvatar_pxe.lab.room.network import ROUTER_ADDRESS
from iluvatar_pxe.layers.ainur.seed_card.seed import write_seed_card
from iluvatar_pxe.layers.ainur.seed_card.wheels import WheelSource
from iluvatar_pxe.resources import requirements_lock

pytestmark = [pytest.mark.firmware, pytest.mark.long, pytest.mark.timeout(7200)]

MAC = "2c:cf:67:00:00:01"
CARD_SIZE = 3072 * MIB
K3S = Path(__file__).parents[1] / "support/arm64/k3s_stand_in.py"
PUSHED = {
    "machines/seed.yaml": f'match: {{macs: ["{MAC}"]}}\nlayer: ainur\nrole: server\nintent: local\nroot: {{kind: disk}}\n',
    "layers/ainur.yaml": LAYER.replace("k3s: {", "k3s: {disable: [servicelb], "),
}
"""Makes the card's Pi a server, beside which k3s may take none of the daemon's ports."""
PATIENT = "systemd.default_device_timeout_sec=1800 systemd.default_timeout_start_sec=1800"
"""What systemd would give up under emulation on a busy host, it waits for."""
USER_DATA = """\
#cloud-config
hostname: seed
runcmd:
- mkdir -p /var/lib/iluvatar-pxe/assets
- tar -xf /boot/firmware/assets.tar -C /var/lib/iluvatar-pxe/assets
"""
"""As its owner may write it on the card: boot files that the daemon would download are there already."""
NETWORK = f"""\
version: 2
ethernets:
  wired:
    match: {{macaddress: "{MAC}"}}
    addresses: [{HOME}/24]
    routes: [{{to: default, via: {ROUTER_ADDRESS}}}]
"""
"""The daemon serves the interface with the default route."""


@dataclass
class Home:
    """A segment with another Pi that is off, and the card's Pi, which is on."""

    segment: Segment
    pi: Machine

    def run(self, *command: str) -> str:
        """Run a command on another host of the segment, and return what it prints."""
        return self.segment.namespace.run(list(command), network=STATION)

    def is_ready(self) -> bool:
        """Say whether the daemon on the card answers that it is."""
        line = f"curl --silent --max-time 60 http://{HOME}:8080/readyz || true"
        return '"ready": true' in self.run("sh", "-c", line)

    def owner_pushes(self, token: str, files: Mapping[str, str]) -> None:
        """Push files to the fleet's repository with the token that the card has shown."""
        place = DIRECTORY / "clone"
        git = "git -c http.sslVerify=false -c user.name=Ada -c user.email=ada@example.org"
        clone = f"{git} clone --quiet https://ada:{token}@{HOME}:8443/git/fleet.git {place}"
        self._types(clone)
        for name, text in files.items():
            self.segment.namespace.outside(place / name).write_text(text)
        push = f"{git} pull --quiet --rebase && {git} push --quiet"  # the daemon commits, too
        again = f"for try in 1 2 3 4 5; do {push} && exit; done; exit 1"
        self._types(f"cd {place} && git add --all && {git} commit --quiet -m Seed; {again}")

    def _types(self, line: str) -> None:
        shell = self.segment.namespace.start("owner", ["sh", "-ec", line], network=STATION)
        assert shell.wait(SECONDS) == 0, shell.tail()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Namespace() as namespace:
        segment = Segment(namespace, 1, 0)
        card = card_of(tmp_path, segment)
        loaded = from_disk(card, tmp_path / "loaded")
        arguments = f"{loaded.arguments} {PATIENT}"
        more = [
            *("-kernel", str(loaded.kernel), "-initrd", str(loaded.initramfs), "-append", arguments),
            *("-drive", f"if=none,id=disk,format=raw,cache=unsafe,file={card}"),
            *("-device", "virtio-blk-pci,drive=disk", "-smp", "2"),
        ]
        console = start_guest(segment.network, firmware_named("uefi-arm64"), MAC, "seed", more)
        yield Home(segment, Machine("seed", console, namespace))


def card_of(directory: Path, segment: Segment) -> Path:
    """Write a card, and on it what its owner does, who flashes it to a larger one."""
    card, place = directory / "card.img", DIRECTORY / "fleet.bundle"
    git = ("git", "-C", str(DIRECTORY / "fleet"), "bundle", "create", "--quiet", str(place), "main")
    segment.namespace.run(git)
    bundle = segment.namespace.outside(place)
    wheels = os.environ.get("ILUVATAR_PXE_WHEELS")
    source = WheelSource(requirements_lock(), Path(wheels) if wheels else None)
    write_seed_card(card, debian_image().file, source, bundle, force=False)
    os.truncate(card, CARD_SIZE)
    (directory / "assets.tar").write_bytes(archive_of(directory / "assets"))
    for name, text in {"user-data": USER_DATA, "network-config": NETWORK}.items():
        (directory / name).write_text(text)
    names = [str(directory / name) for name in ("user-data", "network-config", "assets.tar")]
    at = f"{card}@@{LAYOUT.boot.start}"
    subprocess.run(["mcopy", "-o", "-i", at, *names, "::/"], check=True)
    return card


def archive_of(assets: Path) -> bytes:
    """Return an archive of boot files that the daemon takes for downloads which were verified."""
    files = {f"{FOLDER}/ubuntu/{name}": b"boot file" for name in IMAGE}
    files |= {name: K3S.read_bytes() if name.endswith("k3s-arm64") else name.encode() for name in DOWNLOADS}
    for name, content in files.items():
        (assets / name).parent.mkdir(parents=True, exist_ok=True)
        (assets / name).write_bytes(content)
        os.utime(assets / name, (1_790_000_000, 1_790_000_000))
    note_downloads(assets, DOWNLOADS)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(assets, arcname=".")
    return packed.getvalue()


def test_a_card_becomes_a_daemon_by_which_another_pi_founds_a_cluster_that_it_joins_itself(
    home: Home,
) -> None:
    keys = home.pi.shows(r"Write token(?:.*\n){1,6}?\s*(ilu_\S+)", SECONDS)
    home.pi.shows(r"AGE-SECRET-KEY-1\w+", SECONDS)
    wait_until(home.is_ready, "the daemon on the card to be ready", SECONDS)

    home.segment.order("on")
    wait_until(lambda: any(one["ready"] for one in home.segment.told().values()), "the Pi to join", SECONDS)
    (told,) = home.segment.told().values()
    assert (told["server"], told["inits"]) == (True, 1)

    home.owner_pushes(keys[1], PUSHED)
    joined = home.pi.shows(r"K3S STAND-IN: (.*), token ([0-9a-f]{64})", SECONDS)
    assert joined[1] == 'server, server: "https://api.ainur.lab.home.arpa:6443"'
