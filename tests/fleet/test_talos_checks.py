"""Versions and addresses that no machine of a layer could be configured with."""

import pytest
from support.fleets import fleet_of

from iluvatar_pxe.catalogue.kubernetes import RANGES
from iluvatar_pxe.catalogue.versions import CONTRACTS
from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.disk_selector import DiskSelector, DiskType, MachineDisk, octets

MACHINE = ("arda-01", "52:54:00:00:00:01", "address: 192.168.1.50\n")
SEEN = ("arda-02", "52:54:00:00:00:02", "seen: {address: 192.168.1.51}\n")
OWN = "config: {controlplane: configs/controlplane.yaml, worker: configs/worker.yaml}\n"


def layer(version: str = "v1.13.9", kubernetes: str = "", rest: str = "") -> str:
    """Return a layer of kind talos."""
    wanted = f", kubernetes: {kubernetes}" if kubernetes else ""
    return f"kind: talos\ntalos: {{version: {version}{wanted}}}\n{rest}"


@pytest.mark.parametrize(
    ("arda", "fault"),
    [
        (layer("v1.12.11"), "2: talos.version: machines with Talos v1.12.11 cannot be configured; "),
        (layer("v1.15.0"), "2: talos.version: machines with Talos v1.15.0 cannot be configured; "),
        (layer("v1.15.0-alpha.0"), "choose a version of 1.13 and 1.14, or write 'config' yourself"),
        (layer("v1.13.9", "v1.30.9"), "2: talos.kubernetes: Talos v1.13.9 runs Kubernetes 1.31 to 1.36, not v1.30.9; "),
        (layer("v1.13.9", "v1.37.0"), "not v1.37.0; choose a version of these"),
        (layer("v1.14.0", "v1.31.9"), "Talos v1.14.0 runs Kubernetes 1.32 to 1.37, not v1.31.9"),
        (layer("v1.14.0", "v2.33.0"), "not v2.33.0"),
        (layer("v1.14.0", "1.36.3"), "2: talos.kubernetes: write a version such as v1.36.3"),
        (layer(rest="vip: 192.168.1.120\n"), "3: vip: 192.168.1.120 is in 'routerPool' of fleet.yaml (192.168.1.100-192.168.1.199); "),
        (layer(rest="vip: 192.168.1.50\n"), "3: vip: 192.168.1.50 is also the address of arda-01, by machines/arda-01.yaml; "),
        (layer(rest="vip: 192.168.1.51\n"), "vip: 192.168.1.51 is also the address of arda-02, "),
        (layer(rest="vip: 192.168.1.60\ningress: 192.168.1.60\n"), "is also an ingress address of layers/arda.yaml"),
        (layer(rest="vip: nowhere\n"), "3: vip: "),
        *(
            (layer(rest=f"vip: {address}\n"), f"3: vip: {address} can be no machine's address; choose a free one of your")
            for address in ("127.0.0.1", "0.0.0.0", "0.1.2.3", "169.254.1.1", "224.0.0.1", "240.0.0.1", "255.255.255.255")
        ),
        (layer(rest="disk: {}\n"), "3: disk: selects no disk; write one of type, minSize, maxSize, model, or remove it"),
        (layer(rest="disk:\n"), "3: disk: selects nothing; write keys below it, or remove it"),
        (layer(rest="disk:\n  type: nvme\n  minSize:\n"), "3: disk: minSize has no value; write one, or remove minSize"),
        (layer(rest="disk: {serial: S1}\n"), "3: disk.serial: "),
        (layer(rest="disk:\n  type: sas\n"), "4: disk.type: "),
        (layer(rest="disk: {minSize: 100}\n"), "3: disk.minSize: "),
        (layer(rest="disk: {minSize: big}\n"), "3: disk.minSize: write a size such as 500GB or 1.5TB"),
        (layer(rest="disk: {minSize: 1TB, maxSize: 500GB}\n"), "3: disk: minSize 1TB is more than maxSize 500GB; swap them"),
        (layer(rest=f"disk: {{type: ssd}}\n{OWN}"), "disk: your own 'config' says that; remove one of the two"),
        (layer(rest=f"vip: 192.168.1.61\n{OWN}"), "vip: your own 'config' says that; remove one of the two"),
        (layer("v1.13.9", "v1.36.1", OWN), "talos.kubernetes: your own 'config' says that"),
    ],
)  # fmt: skip
def test_a_ardathat_cannot_be_configured_is_refused(arda: str, fault: str) -> None:
    with pytest.raises(FleetError) as caught:
        fleet_of(MACHINE, SEEN, arda=arda, fleet="routerPool: 192.168.1.100-192.168.1.199\n")

    assert [line for line in caught.value.findings if line.startswith("layers/arda.yaml:") and fault in line]


def test_a_vip_belongs_to_one_layer() -> None:
    with pytest.raises(
        FleetError, match=r"layers/valinor\.yaml:3: vip: .* is also the vip of layers/arda\.yaml"
    ):
        fleet_of(arda=layer(rest="vip: 10.0.0.9\n"), **{"layers/valinor_yaml": layer(rest="vip: 10.0.0.9\n")})


@pytest.mark.parametrize(
    "pool", ["192.168.1.9", "192.168.1.9-192.168.1.1", "a-b", "192.168.1.1-192.168.1.256", "5"]
)
def test_a_pool_has_a_first_and_a_last_address(pool: str) -> None:
    with pytest.raises(FleetError, match=r"fleet\.yaml:1: routerPool: "):
        fleet_of(fleet=f"routerPool: {pool}\n")


@pytest.mark.parametrize(
    ("version", "kubernetes"),
    [
        ("v1.13.0", "v1.31.0"),
        ("v1.13.9", "v1.36.9"),
        ("v1.14.0-rc.1", "v1.37.0-rc.0"),
        ("v1.14.3", "v1.32.0"),
    ],
)
def test_versions_at_both_ends_are_good(version: str, kubernetes: str) -> None:
    fleet = fleet_of(
        arda=layer(version, kubernetes, "vip: 192.168.1.200\n"),
        fleet="routerPool: 192.168.1.100 - 192.168.1.199\n",
    )

    found = fleet.talos("arda")
    assert found
    assert found.talos.kubernetes == kubernetes


def test_hand_written_configurations_may_be_of_any_version() -> None:
    assert fleet_of(arda=layer("v1.12.11", rest=OWN)).talos("arda")


def test_a_release_that_stable_was_pinned_to_is_checked_too() -> None:
    lock = {"assets.lock_yaml": "versions: {talos: {stable: v1.14.0}}\n"}
    with pytest.raises(FleetError, match=r"Talos v1\.14\.0 runs Kubernetes 1\.32 to 1\.37"):
        fleet_of(arda=layer("stable", "v1.31.0"), **lock)


def test_every_release_has_a_default_within_its_range() -> None:
    assert set(RANGES) == CONTRACTS
    assert all(one.has(one.default) for one in RANGES.values())


@pytest.mark.parametrize(
    ("arda", "fault"),
    [
        (layer("1.13.9"), "2: talos.version: "),
        (layer(rest="patches: patches/t.yaml\n"), "3: patches: input should be a list"),
        (layer().replace("kind: talos", "kind: tallos"), "1: kind: is not a layer kind"),
    ],
)
def test_a_layer_that_cannot_be_read_is_no_fault_of_its_machines(arda: str, fault: str) -> None:
    machine = ("arda-01", "52:54:00:00:00:01", "disk: {serial: S1}\n")
    with pytest.raises(FleetError) as caught:
        fleet_of(machine, arda=arda)
    (line,) = caught.value.findings
    assert line.startswith(f"layers/arda.yaml:{fault}")


@pytest.mark.parametrize(
    ("disk", "arda", "fault"),
    [
        ("{}", layer(), "selects no disk; write one of type, minSize, maxSize, model, serial, wwid, busPath, or remove"),
        ("", layer(), "disk: selects nothing; write keys below it, or remove it"),
        ("{type: ssd, serial: }", layer(), "disk: serial has no value; write one, or remove serial"),
        ("{serial: 12345}", layer(), "disk.serial: "),
        ("{serial: S1}", layer(rest=OWN), "disk: is for machines of a layer of kind talos whose configuration the daemon"),
        ("{serial: S1}\nconfig: configs/worker.yaml", layer(), "disk: is for machines of a layer of kind talos whose"),
        ("{serial: S1}\nlayer: ainur", layer(), "disk: is for machines of a layer of kind talos whose configuration"),
    ],
)  # fmt: skip
def test_a_disk_that_no_machine_could_be_installed_on_is_refused(disk: str, arda: str, fault: str) -> None:
    machine = ("arda-01", "52:54:00:00:00:01", f"disk: {disk}\n")
    with pytest.raises(FleetError) as caught:
        fleet_of(machine, arda=arda)
    assert [
        line
        for line in caught.value.findings
        if line.startswith("machines/arda-01.yaml:2: ") and fault in line
    ]


def test_a_machine_names_its_disk() -> None:
    disk = "disk: {serial: '0123', minSize: 1.5 TB, model: [Samsung*, WD*]}\n"
    fleet = fleet_of(("arda-01", "52:54:00:00:00:01", disk), arda=layer(rest="disk: {type: nvme}\n"))
    (machine,) = fleet.listed
    assert machine.file.disk == MachineDisk(serial="0123", minSize="1.5 TB", model=("Samsung*", "WD*"))
    arda = fleet.talos("arda")
    assert arda is not None
    assert arda.disk == DiskSelector(type=DiskType.NVME)


@pytest.mark.parametrize(
    ("size", "expected"),
    [("500MB", 5 * 10**8), ("1.5 TB", 15 * 10**11), ("2GiB", 2**31), ("0.5TiB", 2**39), ("16MiB", 2**24)],
)
def test_sizes(size: str, expected: int) -> None:
    assert octets(size) == expected
