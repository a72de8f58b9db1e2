"""Snapshots of a real etcd behind stand-ins for Talos: sealed, restored by etcd's own program, rotated, and copied."""

import asyncio
import re
import resource
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.founding import FoundingSite, founding_site, hostname
from support.one_thread import OneThread, begin, cancel
from support.talos.etcd import Etcd
from support.waiting import until

from iluvatar_pxe.admin.snapshots import TakeSnapshot, snapshots_of
from iluvatar_pxe.errors import OperationError, SealError
from iluvatar_pxe.gitops.secrets.sealing import daemon_key, new_key, unseal
from iluvatar_pxe.gitops.secrets.sealing_stream import seal_stream
from iluvatar_pxe.layers.etcd.snapshots import KEPT, name_of
from iluvatar_pxe.layers.founding import Founded
from iluvatar_pxe.provisioning.snapshots import EtcdSnapshots, SnapshotContext, SnapshotPace

DAY = timedelta(days=1)


@dataclass
class Kept:
    """A daemon's snapshots of a founded cluster, with a clock of its own."""

    site: FoundingSite
    directory: Path
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def start(self) -> EtcdSnapshots:
        context = self.site.daemons[0].context
        return EtcdSnapshots(
            SnapshotContext(
                context.fleet, context.snapshot, context.secrets, self.directory, "pi",
                pace=SnapshotPace(look=0.05, retry=0.05), clock=lambda: self.now,
            )
        )  # fmt: skip

    @property
    def names(self) -> list[str]:
        place = self.directory / "arda"
        return sorted(file.name for file in place.glob("[!.]*"))

    def clear(self, name: str) -> bytes:
        key = daemon_key(self.site.directory / "one.key")
        return unseal(name, (self.directory / "arda" / name).read_bytes(), [key])

    def etcd(self, number: int = 0) -> Etcd:
        boot = self.site.planes[number].boot
        assert boot
        assert boot.membership
        return boot.membership.etcd


@asynccontextmanager
async def kept_by(tmp_path: Path, planes: int = 1) -> AsyncIterator[Kept]:
    async with founding_site(tmp_path, planes=planes) as site:
        daemon = site.daemons[0]
        daemon.start()
        for machine in site.planes:
            await machine.power_on()
        await until(lambda: isinstance(daemon.step, Founded) and all(one.is_ready for one in site.planes))
        await daemon.follows.follower.refresh()
        yield Kept(site, tmp_path / "snapshots")


@asynccontextmanager
async def running(snapshots: EtcdSnapshots) -> AsyncIterator[EtcdSnapshots]:
    task = asyncio.create_task(snapshots.run())
    try:
        yield snapshots
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_nightly_one_is_restored_by_etcd_itself(tmp_path: Path) -> None:
    async with kept_by(tmp_path) as kept:
        await kept.etcd().order("put", "/registry/secret", "worth keeping")
        async with running(kept.start()):
            await until(lambda: kept.names)
        (name,) = kept.names
        assert b"worth keeping" not in (kept.directory / "arda" / name).read_bytes()
        database = tmp_path / "etcd.db"
        database.write_bytes(kept.clear(name))
        data = tmp_path / "restored"
        order = ("etcdctl", "snapshot", "restore", str(database), f"--data-dir={data}")
        etcdctl = await asyncio.create_subprocess_exec(*order, env={"ETCDCTL_API": "3"})
        assert await etcdctl.wait() == 0
        assert b"worth keeping" in (data / "member/snap/db").read_bytes()


async def test_one_for_each_night_also_after_a_restart_and_seven_are_kept(tmp_path: Path) -> None:
    async with kept_by(tmp_path) as kept:
        nights = []
        for _ in range(KEPT + 2):
            kept.now += DAY
            nights.append(name_of(kept.now))
            async with running(kept.start()) as snapshots:  # a daemon that is started anew each day
                await until(lambda: nights[-1] in kept.names)
        async with running(kept.start()) as snapshots:
            kept.now += timedelta(seconds=1)
            await asyncio.sleep(0.3)  # several looks, and none is due
            kept.now += DAY
            await snapshots.take("arda")
            assert kept.names == [*nights[1 - KEPT :], name_of(kept.now)]


async def test_a_damaged_one_is_told_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with kept_by(tmp_path) as kept, running(kept.start()) as snapshots:
        await until(lambda: kept.names and all(one.done() for one in snapshots._taking.values()))
        before = kept.names

        async def damaged(self: Etcd, target: Path) -> None:
            del self
            await asyncio.to_thread(target.write_bytes, b"\0" * (4 * 512 + 32))

        monkeypatch.setattr(Etcd, "snapshot", damaged)
        with pytest.raises(OperationError, match="does not match its checksum"):
            await snapshots.take("arda")
        assert "does not match its checksum" in (snapshots.problem or "")
        assert kept.names == before
        monkeypatch.undo()
        kept.now += DAY
        await until(lambda: len(kept.names) == 2)
        await until(lambda: snapshots.problem is None)


@pytest.mark.long
async def test_one_member_that_is_off_does_not_matter_and_all_of_them_do(tmp_path: Path) -> None:
    async with kept_by(tmp_path, planes=3) as kept, running(kept.start()) as snapshots:
        await until(lambda: kept.names)
        await kept.site.planes[0].power_cut()
        kept.now += timedelta(seconds=1)
        assert (await snapshots.take("arda")).name in kept.names
        for machine in kept.site.planes[1:]:
            await machine.power_cut()
        with pytest.raises(OperationError, match=rf"no control plane .*{hostname(kept.site.planes[2])} \("):
            await snapshots.take("arda")
        with pytest.raises(OperationError, match="valinor: the fleet has no cluster"):
            await snapshots.take("valinor")


async def test_they_are_copied_where_the_fleet_says_once_that_is_there(tmp_path: Path) -> None:
    share = tmp_path / "nas"
    async with kept_by(tmp_path) as kept, running(kept.start()) as snapshots:
        await until(lambda: kept.names)
        kept.site.change({"fleet.yaml": f"backup: {{directory: {share}}}\n"})
        await kept.site.daemons[0].follows.follower.refresh()
        await until(lambda: "is no directory of this host" in (snapshots.problem or ""))
        share.mkdir()
        copy = share / "pi/arda" / kept.names[0]
        await until(copy.is_file)
        await until(lambda: snapshots.problem is None)
        assert copy.read_bytes() == (kept.directory / "arda" / kept.names[0]).read_bytes()


async def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    recipient = str(new_key().to_public())

    async def much() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * 65536

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(SealError, match=r"db.age: cannot be"):
            await seal_stream(much(), tmp_path / "db.age", [recipient])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with pytest.raises(SealError, match="fleet init"):
        await seal_stream(much(), tmp_path / "db.age", [])
    assert not await asyncio.to_thread(lambda: list(tmp_path.iterdir()))


async def test_a_source_that_breaks_ends_the_sealing(tmp_path: Path) -> None:
    """A connection of the source's is not the one to the thread."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        raise ConnectionResetError("the source")

    with pytest.raises(ConnectionResetError, match="the source"):
        async with asyncio.timeout(10):
            await seal_stream(broken(), tmp_path / "db.age", [str(new_key().to_public())])
    assert not names_in(tmp_path)


async def test_nothing_is_left_of_what_is_cancelled(tmp_path: Path) -> None:
    """Whether its file was just made, or it is being written."""
    thread, silence = OneThread(), asyncio.Event()

    async def never_ending() -> AsyncIterator[bytes]:
        yield b"x"
        await silence.wait()

    def sealing() -> Coroutine[None, None, None]:
        return seal_stream(never_ending(), tmp_path / "db.age", [str(new_key().to_public())])

    made = await begin(sealing())
    thread.catch_up()
    await cancel(made)
    await until(lambda: not names_in(tmp_path))
    written = await begin(sealing())
    await until(lambda: names_in(tmp_path))
    await asyncio.sleep(0)
    await cancel(written)
    assert names_in(tmp_path) == []


def names_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def test_one_is_taken_by_a_command_and_told(tmp_path: Path) -> None:
    async with kept_by(tmp_path) as kept, running(kept.start()) as snapshots:
        await until(lambda: kept.names)
        daemon = kept.site.daemons[0]
        context = daemon.commands(snapshots=snapshots)
        kept.now += timedelta(hours=1)
        answer = await TakeSnapshot().carry_out(context, "ada")
        newest = answer["snapshot"]
        assert re.match(rf"arda: {re.escape(newest['file'])}, [1-9]", answer["message"])
        told = await snapshots_of(snapshots, "arda")
        assert [one["file"] for one in told["kept"]] == kept.names[::-1]
        assert told["kept"][0] == newest
        assert told["problem"] is None
        with pytest.raises(OperationError, match="no cluster of this name"):
            await TakeSnapshot(layer="valinor").carry_out(context, "ada")
