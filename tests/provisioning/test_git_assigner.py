"""Names and roles by commits: real repositories and inventories, without the network."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from support.fleets import CONFIGURED
from support.repositories import Person, bare
from support.waiting import until

from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.errors import InvalidDraftError, OperationError, RepositoryError
from iluvatar_pxe.fleet.models import Fleet, Rule
from iluvatar_pxe.gitops.follower import Follower
from iluvatar_pxe.gitops.origin import FollowedOrigin
from iluvatar_pxe.gitops.repository.remote import Remote
from iluvatar_pxe.gitops.secrets.opening import Opener
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.provisioning import git_assigner
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.git_assigner import GitAssigner
from iluvatar_pxe.provisioning.rollout import Rollout
from iluvatar_pxe.values import replace

FILES: dict[str, str | None] = {
    "fleet.yaml": "",
    "layers/arda.yaml": CONFIGURED,
    "configs/controlplane.yaml": "a: 1\n",
    "configs/worker.yaml": "a: 1\n",
}
PLACE = PlaceRequest(layer="arda", rule="rule 1", options=Rule(layer="arda"))
WORKER = PlaceRequest(layer="arda", name="arda-07", role=Role.WORKER, rule="rule 1")


def mac(number: int) -> str:
    return f"52:54:00:00:00:{number:02x}"


class Bench:
    """A person with a clone, and what of a daemon decides and puts in force."""

    def __init__(self, directory: Path, poll: float = 0.1) -> None:
        self.central = bare(directory / "central.git")
        self.person = Person(directory / "clone", str(self.central.path))
        self.person.commit(FILES)
        self.person.push()
        self.inventory = Inventory(f"sqlite:///{directory / 'inventory.db'}")
        self.applied = Applied()
        opener = Opener(lambda: None)
        self.rollout = Rollout(
            self.applied, AssetStore(directory), self.inventory, opener, repository_decides=True
        )
        remote = Remote(f"file://{self.central.path}", directory / "hosts")
        home = FollowedOrigin(bare(directory / "followed.git"), remote, poll=poll, read_only=False)
        self.follower = Follower(home, self.rollout)
        self.assigner = GitAssigner(self.inventory, self.follower, self.rollout)

    def sees(self, number: int) -> Machine:
        return self.inventory.observe(Sighting(mac=mac(number), firmware=Firmware.UEFI_PXE), Stage.DISCOVER)

    async def assign(self, number: int, place: PlaceRequest = PLACE) -> Machine:
        return await self.assigner.assign(self.sees(number).id, place, self.applied.fleet)

    @property
    def roles(self) -> dict[str, str | None]:
        return {one.name: one.file.role for one in self.applied.fleet.listed}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run what runs in a daemon."""
        await self.follower.start()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part.run()) for part in (self.follower, self.rollout, self.assigner)]
            yield
            for task in tasks:
                task.cancel()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    await made.inventory.open()
    yield made
    await made.inventory.close()


async def test_many_at_once_get_their_places_by_one_commit(bench: Bench) -> None:
    async with bench.running():
        before = bench.follower.in_force
        machines = await asyncio.gather(*(bench.assign(number) for number in range(5)))
        after = bench.follower.in_force
    assert before
    assert after
    assert sorted(one.title for one in machines) == [f"arda-0{number}" for number in range(1, 6)]
    assert {one.title: one.assignment.role for one in machines if one.assignment} == bench.roles
    parent = await bench.central.resolve(f"{after.commit.id}~1")
    assert parent == before.commit.id


async def test_who_gives_up_waiting_is_committed_all_the_same(bench: Bench) -> None:
    async with bench.running():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await bench.assign(1)
        await until(lambda: bench.roles)
        assert (await bench.assign(1)).title == "arda-01"


async def test_what_the_database_decided_before_is_brought_in(bench: Bench) -> None:
    await bench.inventory.assign(bench.sees(1).id, WORKER, Fleet())
    async with bench.running():
        await until(lambda: bench.roles)
    assert bench.roles == {"arda-07": Role.WORKER}


async def test_what_its_rule_says_of_how_it_boots_is_brought_in_with_it(bench: Bench) -> None:
    """Else a machine that booted its own disk until now would be installed."""
    bench.person.commit({"fleet.yaml": "rules: [{layer: arda, chain: local, local: exit}]\n"})
    bench.person.push()
    place = replace(WORKER, rule="rule 1 of fleet.yaml")
    await bench.inventory.assign(bench.sees(1).id, place, Fleet())
    async with bench.running():
        await until(lambda: bench.roles)
    (listed,) = bench.applied.fleet.listed
    assert (listed.file.chain, listed.file.local) == ("local", "exit")


async def test_a_home_that_is_back_is_noticed_when_a_machine_asks(tmp_path: Path) -> None:
    """Left alone it would be looked at again after an hour."""
    bench = Bench(tmp_path, poll=3600)
    await bench.inventory.open()
    async with bench.running():
        away = bench.central.path.rename(tmp_path / "away.git")
        bench.follower.wake()
        await until(lambda: bench.assigner.blocked_by)
        away.rename(bench.central.path)
        bench.assigner.retry_now()
        await until(lambda: not bench.assigner.blocked_by)
    await bench.inventory.close()


async def test_what_could_not_be_brought_in_is_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_assigner, "AGAIN_SECONDS", 0.2)
    await bench.follower.start()
    hook = bench.central.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    await bench.inventory.assign(bench.sees(1).id, WORKER, Fleet())
    async with bench.running():
        with pytest.raises(RepositoryError):
            await bench.assign(2)
        hook.unlink()
        await until(lambda: "arda-07" in bench.roles)


async def test_a_name_that_the_branch_gives_to_another_is_taken_back(bench: Bench) -> None:
    """The database is from before the repository, or another Pi has given the name since."""
    mine = bench.sees(1)
    await bench.inventory.assign(mine.id, WORKER, Fleet())
    bench.person.commit({"machines/arda-07.yaml": f'match: {{macs: ["{mac(2)}"]}}\nrole: worker\n'})
    bench.person.push()
    async with bench.running():
        assert (await bench.assign(2, WORKER)).title == "arda-07"
        now = bench.inventory.snapshot.machine(mac(1))
        assert now
        assert now.assignment is None
        assert (await bench.assign(1)).title == "arda-01"


async def test_a_machine_whose_file_is_removed_loses_its_name(bench: Bench) -> None:
    async with bench.running():
        await bench.assign(1)
        bench.person.pull()
        bench.person.commit({"machines/arda-01.yaml": None})
        bench.person.push()
        await until(lambda: not bench.roles)
        await until(lambda: bench.inventory.snapshot.machine(mac(1)).assignment is None)  # type: ignore[union-attr]
        assert (await bench.assign(1)).title == "arda-02", "its former name stays taken"


async def test_what_is_being_taken_back_is_not_committed_again(bench: Bench, tmp_path: Path) -> None:
    """The fleet has no file of the machine any more, and a slow database still has its name."""
    async with bench.running():
        await bench.assign(1)
        bench.person.pull()
        bench.person.commit({"machines/arda-01.yaml": None})
        bench.person.push()
        with closing(sqlite3.connect(tmp_path / "inventory.db")) as other:
            other.execute("BEGIN EXCLUSIVE")
            await until(lambda: not bench.roles)
            bench.rollout.adopted.tell()  # as for the fleet before
            await asyncio.sleep(0)
        assert (await bench.assign(2)).title == "arda-02"
    assert set(bench.roles) == {"arda-02"}


async def test_one_that_cannot_be_committed_does_not_spoil_the_others(bench: Bench) -> None:
    lost = PlaceRequest(
        layer="arda",
        rule="rule 2",
        options=Rule.model_validate({"layer": "arda", "config": "configs/none.yaml"}),
    )
    async with bench.running():
        outcomes = await asyncio.gather(
            bench.assign(1), bench.assign(2, lost), bench.assign(3), return_exceptions=True
        )
    assert [type(one) for one in outcomes] == [Machine, InvalidDraftError, Machine]
    assert len(bench.roles) == 2


async def test_a_machine_of_two_files_is_refused_and_says_why(bench: Bench) -> None:
    async with bench.running():
        machine = bench.sees(1)
        other = bench.sees(2)
        await bench.inventory.merge(machine.id, other.id, "me")
        bench.person.commit(
            {
                f"machines/{name}.yaml": f'match: {{macs: ["{mac(number)}"]}}\n'
                for name, number in (("a", 1), ("b", 2))
            }
        )
        bench.person.push()
        await until(lambda: len(bench.applied.fleet.listed) == 2)
        known = bench.inventory.snapshot.machine(mac(1))
        assert known
        with pytest.raises(OperationError, match="list NICs of the same machine"):
            await bench.assigner.assign(known.id, PLACE, bench.applied.fleet)


async def test_while_the_home_is_away_there_is_a_hindrance(bench: Bench, tmp_path: Path) -> None:
    async with bench.running():
        away = bench.central.path.rename(tmp_path / "away.git")
        await until(lambda: bench.assigner.blocked_by)
        with pytest.raises(RepositoryError, match="cannot be fetched"):
            await bench.assign(1)
        away.rename(bench.central.path)
        await until(lambda: not bench.assigner.blocked_by)
        assert (await bench.assign(1)).title == "arda-01"
