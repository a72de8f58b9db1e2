"""A network with our daemon, everything that any simulated kind fetches, and a station that they have their cards on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from support.pi import IMAGE
from support.stations import Site, site

from iluvatar_pxe.boot.chains.raspberry_pi import FOLDER
from iluvatar_pxe.lab.daemon import SETTINGS
from iluvatar_pxe.lab.room.router import start_router

PCS = "pcs"
FLEET = """domain: lab.home.arpa
enrolment: {mode: join, countdown: 3}
rules:
  - {name: Pis, match: {firmware: raspberry-pi}, layer: ainur, role: agent}
  - {name: PCs, match: {manufacturer: iluvatar-pxe}, layer: arda, role: worker}
"""
SCHEMATIC = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba"
HELD, LOCAL = "02:00:00:00:00:0f", "02:00:00:00:00:0e"
FILES = {
    "fleet.yaml": FLEET,
    "layers/ainur.yaml": "kind: k3s\nimage: ubuntu\nkernelArgs: [ds=none]\n",
    "layers/arda.yaml": f"kind: talos\ntalos: {{version: v1.13.9, schematic: {SCHEMATIC}}}\nconfig: {{controlplane: configs/one.yaml, worker: configs/one.yaml}}\n",
    "machines/held.yaml": f'match: {{macs: ["{HELD}"]}}\nchain: hold\n',
    "machines/local.yaml": f'match: {{macs: ["{LOCAL}"]}}\nintent: local\n',
    "configs/one.yaml": "machine: {type: worker}\n",
}
ASSETS = (
    *(f"ipxe/{name}" for name in ("undionly.kpxe", "snponly.efi", "ipxe-arm64.efi")),
    *(f"talos/{SCHEMATIC}/v1.13.9/{name}" for name in ("kernel-arm64", "initramfs-arm64.xz")),
    *(f"{FOLDER}/ubuntu/{name}" for name in IMAGE),
)


@contextmanager
def simulated_site(fleet: Mapping[str, str] = FILES, *, as_real: bool = True) -> Iterator[Site]:
    """Build it, with a router, and start the daemon, which takes simulated machines for real ones unless told not to."""
    with site() as built:
        if not as_real:
            settings = built.namespace.outside(SETTINGS)
            settings.write_text(settings.read_text().replace("as_real = true", "as_real = false"))
        assets = built.namespace.outside(built.server.assets)
        for name in ASSETS:
            (assets / name).parent.mkdir(parents=True, exist_ok=True)
            (assets / name).write_bytes(b"MZ" + bytes(1499))
        start_router(built.network)
        built.network.add_station(PCS, "10.77.0.50")
        built.start(fleet)
        yield built
