"""Configurations that the daemon makes: who gets one, when, and what happens while none can be made."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.clusters import DISK, control_plane_secrets, golden_bundle, shows
from support.fleets import ARDA, INITRAMFS, KERNEL, fleet_of
from support.waiting import until, wait_until
from support.web import CLIENT, Response, Web, web

from iluvatar_pxe.boot.plan import ToBeMade
from iluvatar_pxe.changed import Changed
from iluvatar_pxe.errors import ConfigurationError, OperationError
from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.arda.configuration.facts import Manifest
from iluvatar_pxe.layers.arda.disks import DiskChoice
from iluvatar_pxe.layers.arda.documents import load_documents
from iluvatar_pxe.layers.arda.machine_facts import Surroundings
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Phase, Role
from iluvatar_pxe.provisioning.cluster_network import no_network
from iluvatar_pxe.provisioning.configurations import Configurations, Made, no_manifests
from iluvatar_pxe.provisioning.trying_again import TryingAgain
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import SIMULATED

MAC, OTHER = "52:54:00:77:00:01", "52:54:00:77:00:02"
QUERY = f"mac={MAC}&uuid=&serial=S-1&manufacturer=QEMU&product=Q35&arch=x86_64&platform=efi&version=1.21.1"
FLEET = fleet_of(("one", MAC, "role: controlplane\n"), ("two", OTHER, "role: worker\n"))
BUNDLE = golden_bundle()
LABELS = "machine: {{nodeLabels: {{of: {}}}}}\n"
Secrets = Callable[[str], Awaitable[Bundle]]
Manifests = Callable[[str, Bundle], Awaitable[tuple[Manifest, ...]]]


async def around(_: IPv4Address) -> Surroundings:
    return Surroundings(here=IPv4Address("192.168.1.2"), network=IPv4Network("192.168.1.0/24"))


async def known(_: str) -> Bundle:
    return BUNDLE


async def none_yet(layer: str) -> Bundle:
    raise OperationError(f"{layer}: the clock is not set; set it")


class LateSecrets:
    """Secrets of a cluster that come while somebody waits for them."""

    def __init__(self) -> None:
        self.changed, self.asked = Changed(), threading.Semaphore(0)
        self._found: list[Bundle] = []

    async def __call__(self, layer: str) -> Bundle:
        self.asked.release()
        return self._found[0] if self._found else await none_yet(layer)

    async def come(self) -> None:
        self._found.append(BUNDLE)
        self.changed.tell()


@contextmanager
def held_open(late: LateSecrets, ask: Callable[[], Response]) -> Iterator[list[Response]]:
    """Ask in a thread that waits for the secrets; its answer is there after the block."""
    responses: list[Response] = []
    waiting = threading.Thread(target=lambda: responses.append(ask()))
    waiting.start()
    assert late.asked.acquire(timeout=30)
    yield responses
    waiting.join(30)


@contextmanager
def serving(
    directory: Path,
    secrets: Secrets = known,
    *,
    disk: DiskChoice | None = DISK,
    changes: tuple[Changed, ...] = (),
    seconds: float = 60.0,
    manifests: Manifests = no_manifests,
    check: Callable[[str], Awaitable[None]] = no_network,
) -> Iterator[Web]:
    """Serve the fleet, with its first machine just seen by DHCP."""
    made = Configurations(
        around=around,
        secrets=secrets,
        disk_of=lambda _: disk,
        manifests=manifests,
        check=check,
        changes=changes,
        seconds=seconds,
    )
    with web(directory, FLEET, configurations=made) as running:
        running.put(KERNEL, b"kernel")
        running.put(INITRAMFS, b"initramfs")
        running.boots(MAC)
        yield running


def fetch(served: Web, mac: str = MAC, **headers: str) -> Response:
    """Boot a machine as far as its script, and return what its ticket is redeemed for."""
    return served.get(config_target(served, mac, **headers), **headers)


def config_target(served: Web, mac: str = MAC, **headers: str) -> str:
    """Boot a machine as far as its script, and return where its ticket is redeemed."""
    script = served.get(f"/ipxe?{QUERY.replace(MAC, mac)}", **headers).text
    (url,) = [word for word in script.split() if word.startswith("talos.config=")]
    return "/talos/" + url.rpartition("/talos/")[2]


async def _make(served: Web) -> Made:
    """Make the first machine's configuration as a worker of the applied fleet."""
    wanted, fleet = ToBeMade("arda", Role.WORKER), served.booter.applied.fleet
    return await served.booter.configurations.make(machine(served), wanted, fleet, CLIENT)


def machine(served: Web) -> Machine:
    """Return the first machine as it is known."""
    found = served.inventory.snapshot.machine(MAC)
    assert found
    return found


def test_a_machine_gets_a_configuration_of_its_own_that_nobody_may_keep(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        response = fetch(served)

        assert (response.status, response.headers["cache-control"]) == (200, "no-store")
        documents = load_documents(response.text)
        assert documents[0]["machine"]["install"]["diskSelector"]["serial"] == DISK.serial
        assert documents[1]["hostname"] == "one"
        assert machine(served).reached is Stage.CONFIG
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert not [path for path in files if BUNDLE.trustd_token.encode() in path.read_bytes()]
        made = served.call(_make(served))
        assert BUNDLE.trustd_token in made.text
        assert BUNDLE.trustd_token not in repr(made)


def test_control_planes_bring_manifests_and_workers_do_not(tmp_path: Path) -> None:
    async def manifests(layer: str, bundle: Bundle) -> tuple[Manifest, ...]:
        return (Manifest("argo-cd", f"of: {layer}\n{bundle.cluster_id}: 1\n"),)

    with serving(tmp_path, manifests=manifests) as served:
        (found,) = load_documents(fetch(served).text)[0]["cluster"]["inlineManifests"]
        assert found == {"name": "argo-cd", "contents": f"of: arda\n{BUNDLE.cluster_id}: 1\n"}
        served.boots(OTHER)
        assert "argo-cd" not in fetch(served, OTHER).text


def test_the_fleets_patches_are_in_it(tmp_path: Path) -> None:
    patched = fleet_of(
        ("one", MAC, "role: controlplane\npatches: [patches/one.yaml]\n"),
        arda=f"{ARDA}patches: [patches/all.yaml]\n",
        **{"patches/all_yaml": LABELS.format("all"), "patches/one_yaml": LABELS.format("one")},
    )
    with serving(tmp_path) as served:
        served.booter.applied.fleet = patched
        assert load_documents(fetch(served).text)[0]["machine"]["nodeLabels"]["of"] == "one"


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        ("machine: {install: {wipe: perhaps}}\n", r"Talos would refuse .* machine\.install\.wipe: "),
        (
            "machine: {install: {disk: /dev/sdb, diskSelector: {$patch: delete}}}\n",
            r"patches/all\.yaml:1: machine\.install\.disk: .* the daemon chooses the disk ",
        ),
    ],
)
def test_a_patch_that_is_refused_holds_the_machine(tmp_path: Path, patch: str, why: str) -> None:
    wrong = {"patches/all_yaml": patch}
    with serving(tmp_path, seconds=0.0) as served:
        served.booter.applied.fleet = fleet_of(
            ("one", MAC, "role: worker\n"), arda=f"{ARDA}patches: [patches/all.yaml]\n", **wrong
        )
        assert fetch(served).status == 503
        with pytest.raises(ConfigurationError, match=why):
            served.call(_make(served))


def test_a_worker_gets_no_key_of_the_control_plane(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.boots(OTHER)
        response = fetch(served, OTHER)

        assert load_documents(response.text)[0]["machine"]["type"] == "worker"
        assert not [secret for secret in control_plane_secrets(BUNDLE) if shows(response.text, secret)]


def test_a_machine_whose_disks_are_unknown_waits_in_maintenance_and_installs_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, none_yet, disk=None) as served, capture_logs() as logs:
        response = fetch(served)
        fetch(served)

        kinds = [document["kind"] for document in load_documents(response.text)]
        assert (response.status, kinds[0]) == (200, "LinkAliasConfig")
        assert machine(served).phase is not Phase.INSTALLING
        assert [line["machine"] for line in logs if line["event"] == "boot.maintenance"] == ["one"]


def test_what_is_not_ready_is_held_open_until_it_is(tmp_path: Path) -> None:
    late = LateSecrets()
    with serving(tmp_path, late, changes=(late.changed,)) as served:
        with held_open(late, lambda: fetch(served)) as responses:
            assert not responses
            served.call(late.come())

        assert [response.status for response in responses] == [200]


def test_what_is_never_ready_is_refused_in_time_so_that_talos_asks_again_soon(tmp_path: Path) -> None:
    with serving(tmp_path, none_yet, seconds=0.0) as served:
        response = fetch(served)

        assert response.status == 503
        why = "the configuration is not ready; the boot server's log has the reason"
        assert response.text == f"503: {why}\n"


def test_what_this_network_lacks_holds_real_machines_and_makes_no_secrets(tmp_path: Path) -> None:
    async def check(layer: str) -> None:
        raise ConfigurationError(f"{layer}: its vip is in use")

    async def secrets(_: str) -> Bundle:
        raise AssertionError("secrets were made")

    with serving(tmp_path, secrets, check=check, seconds=0.0) as served:
        assert fetch(served).status == 503
        with pytest.raises(ConfigurationError, match="arda: its vip is in use"):
            served.call(_make(served))
        assert fetch(served, User_Agent=SIMULATED.decode()).status == 200


def test_the_log_has_the_reason(tmp_path: Path) -> None:
    with serving(tmp_path, none_yet, seconds=0.0) as served, capture_logs() as logs:

        def reasons() -> list[str]:
            fetch(served)
            return [line["why"] for line in logs if line["event"] == "configuration.not-ready"]

        assert wait_until(reasons, "a line that is not suppressed")[0] == "arda: the clock is not set; set it"


def test_a_ticket_that_dies_while_the_configuration_is_made_gets_none(tmp_path: Path) -> None:
    async def secrets(_: str) -> Bundle:
        joined = with_phase(Phase.JOINED)
        await served.inventory.change(machine(served).id, joined, Happening.CHANGED, "joined", "a test")
        return BUNDLE

    with serving(tmp_path, secrets) as served:
        response = fetch(served)

        assert response.status == 404
        assert "machine:" not in response.text


def with_phase(phase: Phase) -> Callable[[Machine], Machine]:
    """Return an edit that sets a machine's phase."""
    return lambda one: replace(one, phase=phase)


def test_a_machine_that_takes_over_the_address_while_the_configuration_is_made_gets_none(
    tmp_path: Path,
) -> None:
    async def secrets(_: str) -> Bundle:
        for address in served.neighbours:
            served.neighbours[address] = "52:54:00:77:00:99"
        return BUNDLE

    with serving(tmp_path, secrets) as served:
        assert fetch(served).status == 403


@pytest.mark.parametrize("disk", [DISK, None])
def test_a_simulated_machine_gets_no_secret_and_waits_for_none(
    tmp_path: Path, disk: DiskChoice | None
) -> None:
    async def secrets(_: str) -> Bundle:
        raise AssertionError("a simulation asks for secrets")

    with serving(tmp_path, secrets, disk=disk) as served:
        response = fetch(served, User_Agent=SIMULATED.decode())

        assert response.status == 200
        assert "(masked)" in response.text
        texts = (BUNDLE.cluster_secret, BUNDLE.trustd_token, BUNDLE.os.crt, *control_plane_secrets(BUNDLE))
        assert not [secret for secret in texts if shows(response.text, secret)]


def test_whoever_shows_the_ticket_of_a_machine_that_is_held_open_is_refused_at_once(tmp_path: Path) -> None:
    late = LateSecrets()
    with serving(tmp_path, late, changes=(late.changed,)) as served:
        target = config_target(served)
        rogue = IPv4Address("127.0.0.9")
        served.neighbours[rogue] = OTHER
        with held_open(late, lambda: served.get(target)) as responses:
            for _ in range(3):
                assert served.get_from(rogue, target).status == 403
            served.call(late.come())
            assert served.get_from(rogue, target).status == 403

        assert [response.status for response in responses] == [200]


def test_a_refusal_is_told_until_it_is_over_also_before_talos_asks_again(tmp_path: Path) -> None:
    late = LateSecrets()
    with serving(tmp_path, late, changes=(late.changed,), seconds=0.0) as served:
        refusals = served.booter.configurations.refusals

        async def over(end: Callable[[], Awaitable[object]]) -> None:
            trying = asyncio.create_task(TryingAgain(served.booter, seconds=0.05).run())
            await end()
            await until(lambda: not refusals.all)
            trying.cancel()

        def refused() -> None:
            assert fetch(served).status == 503
            why = "its configuration cannot be made: arda: the clock is not set; set it"
            assert refusals.of("arda") == {"one": why}
            assert refusals.problem == f"arda: one: {why}"
            assert refusals.of("valinor") == {}

        refused()
        joined = with_phase(Phase.JOINED)
        served.call(
            over(
                lambda: served.inventory.change(
                    machine(served).id, joined, Happening.CHANGED, "joined", "test"
                )
            )
        )
        booting = with_phase(Phase.BOOTING)
        served.call(
            served.inventory.change(machine(served).id, booting, Happening.CHANGED, "booting", "test")
        )
        refused()
        served.call(over(late.come))
        assert fetch(served).status == 200
