"""The daemon has ``stable`` chosen once, and pinned, and Image Factory know the schematics before it asks for files."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.factory import SyntheticFactory, talos_from
from support.git_site import hosted
from support.hosted import Hosted
from support.publisher import publisher
from support.repositories import Person, git
from support.waiting import until, wait_until

from iluvatar_pxe.assets.download.client import Downloader, Timing
from iluvatar_pxe.assets.download.download import download
from iluvatar_pxe.assets.download.patience import Pauses
from iluvatar_pxe.assets.turns import Turns
from iluvatar_pxe.boot.wanted import wishes_of
from iluvatar_pxe.catalogue.download import Download, FirstUse
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.catalogue.resolve import unresolved
from iluvatar_pxe.changed import Changed
from iluvatar_pxe.errors import AssetError, FactoryError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.provisioning import stable
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.pins import OwnPins, Pins
from iluvatar_pxe.provisioning.registering import Registering
from iluvatar_pxe.provisioning.stable import Stable

LONGHORN = "613e1592b2da41ae5e265e8789429f22e121aab91cb4deb6bc3c0b6262961245"
LAYER = "kind: talos\ntalos: {version: stable, extensions: [iscsi-tools, util-linux-tools]}\n"
MAC = "52:54:00:77:00:01"


@pytest.fixture
def factory() -> Iterator[SyntheticFactory]:
    with SyntheticFactory() as running:
        yield running


def fleet(address: str, layer: str = LAYER) -> Fleet:
    return parse_fleet({"fleet.yaml": talos_from(address), "layers/arda.yaml": layer})


class Choosing:
    """A daemon's choice without a repository, and the fleet that it applies."""

    def __init__(self, state: Path, first: Fleet, *, fetch: bool = True) -> None:
        self.applied, self.changed = Applied(first), Changed()
        self.pins = Pins(OwnPins(self.applied, state))
        self.stable = Stable(self.applied, self._unresolved, self.pins, [self.changed], fetch=fetch)

    def _unresolved(self) -> tuple[str, ...]:
        return unresolved(self.pins.lock, wishes_of(self.applied.fleet))

    def apply(self, other: Fleet) -> None:
        self.applied.fleet = other
        self.changed.tell()

    @property
    def version(self) -> str:
        layer = self.applied.fleet.talos("arda")
        assert layer
        return layer.talos.version


@asynccontextmanager
async def running(choosing: Choosing) -> AsyncIterator[Choosing]:
    task = asyncio.create_task(choosing.stable.run())
    try:
        yield choosing
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled(), task.exception()


async def test_the_newest_version_without_faults_is_chosen_once(
    factory: SyntheticFactory, tmp_path: Path
) -> None:
    async with running(Choosing(tmp_path, fleet(factory.address))) as choosing:
        await until(lambda: choosing.version == "v1.14.0")
        assert factory.asked == [("GET", "/versions"), ("GET", "/versions?broken=true")]
        factory.versions = (*factory.versions, "v1.14.2")
        choosing.apply(fleet(factory.address))
        await until(lambda: choosing.version == "v1.14.0")
    again = Choosing(tmp_path, fleet(factory.address))
    async with running(again):
        await until(lambda: again.version == "v1.14.0")
    assert len(factory.asked) == 2, "it is kept, and nobody is asked again"


async def test_a_factory_that_does_not_answer_is_asked_again(
    factory: SyntheticFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stable, "FIRST_PAUSE", 0.01)
    factory.answers["/versions"] = (503, "upstream")
    with capture_logs() as logged:
        async with running(Choosing(tmp_path, fleet(factory.address))) as choosing:
            await until(lambda: len(factory.asked) > 2)
            assert choosing.version == "stable"
            del factory.answers["/versions"]
            await until(lambda: choosing.version == "v1.14.0")
    events = [(one["event"], one.get("why", "")[:60]) for one in logged if "chosen" in one["event"]]
    assert events[0] == ("assets.not_chosen", "which version of talos is stable is not known yet: http://12")
    assert events[-1][0] == "assets.chosen"


@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        (
            lambda factory: setattr(factory, "versions", ("v1.15.0",)),
            "no version of Talos 1.13 and 1.14 without faults",
        ),
        (lambda factory: factory.answers.update({"/versions": (200, "<html>")}), "answers with no JSON"),
    ],
)
async def test_what_tells_no_version_is_told_in_one_line(
    factory: SyntheticFactory, tmp_path: Path, prepare: Callable[[SyntheticFactory], None], expected: str
) -> None:
    prepare(factory)
    with capture_logs() as logged:
        async with running(Choosing(tmp_path, fleet(factory.address))) as choosing:
            assert choosing.stable.open == {"talos": Progress(state=State.QUEUED)}
            await until(lambda: any(expected in one.get("why", "") for one in logged))
            assert choosing.version == "stable"
            known = choosing.stable.open["talos"]
            assert known.state is State.WAITING
            assert expected in known.trouble
    assert not any("\n" in one.get("why", "") for one in logged)


CHANNELS = [{"id": "latest", "latest": "v1.37.1+k3s1"}, {"id": "stable", "latest": "v1.36.3+k3s1"}]
CHANNEL = "/v1-release/channels"
STABLE_K3S = "kind: k3s\nk3s: {version: stable}\n"


def _k3s_of(choosing: Choosing) -> str | None:
    layer = choosing.applied.fleet.k3s("ainur")
    return layer.k3s.version if layer else None


async def test_k3s_is_what_its_own_channel_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with publisher(tmp_path) as server:
        address = server.offer(CHANNEL, json.dumps({"data": CHANNELS}).encode())
        monkeypatch.setattr(stable, "CHANNELS", {"k3s": address})
        declared = parse_fleet({"fleet.yaml": "", "layers/ainur.yaml": STABLE_K3S})
        async with running(Choosing(tmp_path, declared)) as choosing:
            await until(lambda: _k3s_of(choosing) == "v1.36.3+k3s1")
            assert choosing.pins.lock.resolved("k3s", "stable") == "v1.36.3+k3s1"


async def test_mirrors_of_the_channel_are_asked_first(tmp_path: Path) -> None:
    with publisher(tmp_path) as server:
        server.offer(f"/page{CHANNEL}", html=True)
        server.offer(f"/other{CHANNEL}", b'{"data": []}')
        good = server.offer(f"/good{CHANNEL}", json.dumps({"data": CHANNELS}).encode())
        base = good.removesuffix(f"good{CHANNEL}")
        places = ", ".join(f"{base}{name}/" for name in ("page", "other", "good"))
        settings = f"assets: {{mirrors: {{https://update.k3s.io/: [{places}]}}}}\n"
        declared = parse_fleet({"fleet.yaml": settings, "layers/ainur.yaml": STABLE_K3S})
        async with running(Choosing(tmp_path, declared)) as choosing:
            await until(lambda: choosing.pins.lock.resolved("k3s", "stable") == "v1.36.3+k3s1")


async def test_nobody_is_asked_where_nothing_is_fetched(factory: SyntheticFactory, tmp_path: Path) -> None:
    with capture_logs() as logged:
        async with running(Choosing(tmp_path, fleet(factory.address), fetch=False)):
            await until(lambda: logged)
    assert logged[0]["why"] == (
        "which version of talos is stable is not known yet: nobody asks while [assets] fetch is false, or without a "
        "daemon; write a version into the layer's file"
    )
    assert factory.asked == []


def getting(applied: Applied) -> Registering:
    timing = Timing(usual=Pauses(0.01, 0.02, 2))
    return Registering(applied, partial(download, downloader=Downloader(timing=timing)))


def kernel(address: str, schematic: str = LONGHORN) -> Download:
    path = f"{schematic}/v1.13.9/kernel-amd64"
    return Download(
        name=f"talos/{path}",
        version="v1.13.9",
        urls=(f"{address}/image/{path}",),
        check=FirstUse(),
        builds=True,
    )


async def test_a_schematic_is_registered_before_the_first_of_its_files_and_once(
    factory: SyntheticFactory, tmp_path: Path
) -> None:
    factory.files["kernel-amd64"] = b"the kernel" * 1000
    get = getting(Applied(fleet(factory.address)))
    states: list[State] = []
    for place in (tmp_path / "a", tmp_path / "b"):
        place.mkdir()
        got = await get(
            kernel(factory.address), place, lambda progress: states.append(progress.state), Turns(1).turn()
        )
        assert (got.size, (place / "kernel-amd64").read_bytes()) == (10_000, b"the kernel" * 1000)
    assert [method for method, path in factory.asked if path == "/schematics"] == ["POST"]
    assert factory.schematics.keys() == {LONGHORN}
    assert State.LOADING in states


async def test_why_a_schematic_is_not_registered_is_what_is_told(
    factory: SyntheticFactory, tmp_path: Path
) -> None:
    factory.answers["/schematics"] = (400, "yaml: field x not found")
    get = getting(Applied(fleet(factory.address)))
    with pytest.raises(FactoryError, match=f"refuses schematic {LONGHORN}: yaml: field x not found; correct"):
        await get(kernel(factory.address), tmp_path, lambda _: None, Turns(1).turn())
    factory.schematics[LONGHORN] = "customization: {}\n"
    assert (await get(kernel(factory.address), tmp_path, lambda _: None, Turns(1).turn())).size, (
        "whoever has the file may give it"
    )
    with pytest.raises(AssetError, match="kernel-amd64"):
        await get(kernel(factory.address, "0" * 64), tmp_path / "x", lambda _: None, Turns(1).turn())


def test_a_fleet_in_git_gets_its_version_its_files_and_its_pins_by_itself(tmp_path: Path) -> None:
    with SyntheticFactory(build_seconds=0.5) as factory:
        path = hosted(tmp_path / "state/git/fleet.git", checked=True)
        ada = Person(tmp_path / "ada", str(path))
        roles = ", ".join(f"{role}: configs/a.yaml" for role in ("controlplane", "worker"))
        ada.commit(
            {
                "fleet.yaml": f"{talos_from(factory.address)}enrolment: {{mode: join, countdown: 1}}\n"
                "rules: [{match: {arch: x86_64}, layer: arda}]\n",
                "layers/arda.yaml": f"{LAYER}config: {{{roles}}}\n",
                "configs/a.yaml": "machine: {}\n",
            }
        )
        ada.push()
        with Hosted(tmp_path, {"assets": {"fetch": True}}) as daemon:
            folder = f"talos/{LONGHORN}/v1.14.0"
            names = {f"{folder}/kernel-amd64", f"{folder}/initramfs-amd64.xz"}

            def lock() -> str:
                return git(path, "show", "main:assets.lock.yaml", check=False)

            wait_until(lambda: all(name in lock() for name in names), "the files to be pinned")
            assert '"talos": {stable: "v1.14.0"}' in lock()
            for name in names:
                expected = f"stand-in for {name.removeprefix('talos/')}\n" * 100
                assert daemon.get(f"/assets/{name}")[1].decode() == expected
            factory.versions = (*factory.versions, "v1.14.2")
            before, broken = lock(), ("GET", "/versions?broken=true")
            asked = factory.asked.count(broken)
            ada.git("pull", "--quiet", "origin", "main")
            commit = ada.commit({"README.md": "Another commit\n"})
            ada.push("origin", "HEAD:main")
            wait_until(
                lambda: any(commit[:12] == one.get("commit") for one in daemon.logged("fleet.applied")),
                commit,
            )
            assert (lock(), factory.asked.count(broken)) == (before, asked), "never changed silently"
            assert daemon.stop() == 0
    chosen = [json.dumps(one) for one in daemon.logged("assets.chosen")]
    assert len(chosen) == 1
