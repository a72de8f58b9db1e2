"""A segment with stand-ins for Raspberry Pis that run k3s, and real daemons that boot them."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from support.etcd import CLIENT_PORT
from support.k3s.kubernetes_api import VERSION
from support.pi import IMAGE
from support.switched_on import STATION
from support.two_pis import ASSETS, HOME
from support.whole_segment import DOMAIN, MACHINES, WholeSegment

from iluvatar_pxe.assets.index import INDEX_FILE, Contents, Given, Record
from iluvatar_pxe.boot.chains.raspberry_pi import FOLDER
from iluvatar_pxe.lab.room.namespace import Namespace

SERVERS = 3
CHART = "10.1.1"
DOWNLOADS = {
    f"k3s/{VERSION}/k3s-arm64": VERSION,
    f"k3s/{VERSION}/k3s-airgap-images-arm64.tar.zst": VERSION,
    f"charts/argo-cd-{CHART}.tgz": CHART,
}
"""By name, their versions."""
LAYER = f"""kind: k3s
image: ubuntu
servers: {SERVERS}
k3s: {{version: {VERSION}}}
root: {{kind: memory, data: {{label: data}}}}
"""
FILES = {
    "fleet.yaml": f"domain: {DOMAIN}\nenrolment: {{mode: join, countdown: 1}}\nmaxAttempts: 1000\n"
    "rules: [{match: {firmware: raspberry-pi}, layer: ainur}]\n",
    "layers/ainur.yaml": LAYER,
}


class Segment(WholeSegment):
    """Pis are off at first, and daemons are not started."""

    def __init__(self, namespace: Namespace, pis: int, daemons: int) -> None:
        images = {f"{FOLDER}/ubuntu/{name}": b"boot file" for name in IMAGE}
        super().__init__(
            namespace,
            [f"2c:cf:67:00:03:{number:02x}" for number in range(pis)],
            daemons,
            FILES,
            images | {name: name.encode() for name in DOWNLOADS},
            ["support.k3s.alone", f"--dns={HOME}:53"],
        )
        note_downloads(namespace.outside(ASSETS), DOWNLOADS)

    def voters(self, mac: str) -> list[str]:
        """Return the names of the nodes that vote, as one server's own etcd lists them."""
        tls = MACHINES / mac.replace(":", "")[-8:] / "memory/var/lib/rancher/k3s/server/tls/etcd"
        files = (
            f"--cacert={tls}/server-ca.crt",
            f"--cert={tls}/client.crt",
            f"--key={tls}/client.key",
        )
        endpoint = f"--endpoints=https://{self.address(mac)}:{CLIENT_PORT}"
        words = ["env", "ETCDCTL_API=3", "etcdctl", endpoint, *files, "member", "list", "--write-out=simple"]
        lines = [line.split(", ") for line in self.namespace.run(words, network=STATION).splitlines()]
        return sorted(line[2].rpartition("-")[0] for line in lines if line[-1] == "false")


def note_downloads(assets: Path, versions: Mapping[str, str]) -> None:
    """Have the daemons know files, by their versions, as downloads that were verified."""
    files: Mapping[str, Record] = {name: _record(assets, name, version) for name, version in versions.items()}
    (assets / INDEX_FILE).write_text(Contents(files=files).model_dump_json())


def _record(assets: Path, name: str, version: str) -> Record:
    state, digest = (assets / name).stat(), hashlib.sha256((assets / name).read_bytes()).hexdigest()
    given = Given(size=state.st_size, modified=state.st_mtime_ns, sha256=digest)
    return Record(
        version=version,
        sha256=digest,
        size=state.st_size,
        source="a test",
        checked_at=datetime.now(UTC),
        gives={name: given},
    )
