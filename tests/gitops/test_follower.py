"""Which commit is in force: of a repository here, and of one elsewhere that may be away, faulty, rewritten or lost."""

import asyncio
import math
import socket
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from support.fleets import CONFIGURED
from support.repositories import Listener, Person, bare, git
from support.waiting import until

from iluvatar_pxe.errors import FleetError, LostRaceError, RefusedPushError, RepositoryError
from iluvatar_pxe.gitops.compare_and_swap import Draw
from iluvatar_pxe.gitops.follower import Follower
from iluvatar_pxe.gitops.origin import FollowedOrigin, HostedOrigin, Origin
from iluvatar_pxe.gitops.publish import publish
from iluvatar_pxe.gitops.repository.bare import IN_FORCE, Changes, Repository
from iluvatar_pxe.gitops.repository.remote import Remote
from iluvatar_pxe.gitops.repository.revision import Revision

FILES: dict[str, str | None] = {
    "fleet.yaml": "",
    "layers/arda.yaml": CONFIGURED,
    "configs/controlplane.yaml": "a: 1\n",
    "configs/worker.yaml": "a: 1\n",
}
FAULTY = {"fleet.yaml": "colour: red\n"}


class PlaceRequest:
    """An origin with a person who pushes to it, and a follower that follows it from where it lies or from elsewhere."""

    def __init__(self, directory: Path, *, followed: bool) -> None:
        self.central = bare(directory / "central.git")
        self.person = Person(directory / "clone", str(self.central.path))
        self.person.commit(FILES)
        self.person.push()
        self.followed = followed
        self.directory = directory
        self.listener = Listener()
        self.follower = self.another(self.listener)

    def another(self, listener: Listener) -> Follower:
        return Follower(self.origin(), listener)

    def origin(self, name: str = "followed", *, read_only: bool = False) -> Origin:
        if not self.followed:
            return HostedOrigin(self.central)
        copy = self.directory / f"{name}.git"
        repository = Repository(self.central.git, "main") if copy.exists() else bare(copy)
        remote = Remote(f"file://{self.central.path}", self.directory / "known_hosts")
        return FollowedOrigin(repository, remote, poll=0.05, read_only=read_only)

    async def committing(self, by: str) -> Callable[[Draw], Awaitable[Revision]]:
        """Return what commits for the daemon, or for a command beside it."""
        if by == "a command":
            return partial(publish, self.origin("command"))
        await self.follower.start()
        return self.follower.commit

    def lists(self, name: str) -> bool:
        return name in self.names

    @property
    def names(self) -> frozenset[str]:
        return self.listener.adopted[-1][0].names


@pytest.fixture(params=[False, True], ids=["hosted", "followed"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> PlaceRequest:
    return PlaceRequest(tmp_path, followed=request.param)


def machine(number: int) -> dict[str, str | None]:
    return {f"machines/m{number}.yaml": f'match: {{macs: ["52:54:00:00:00:{number:02x}"]}}\nrole: worker\n'}


def joins(number: int, drawn: list[str] | None = None) -> Draw:
    """Draw a commit that adds a machine unless it is there."""

    def draw(revision: Revision) -> Changes | None:
        if drawn is not None:
            drawn.append(revision.commit.id)
        if f"m{number}" in revision.fleet.names:
            return None
        files = {path: (text or "").encode() for path, text in machine(number).items()}
        return Changes(f"m{number} joins\n", files)

    return draw


async def test_the_newest_commit_is_put_in_force_at_the_start(place: PlaceRequest) -> None:
    commit = place.person.commit(machine(1))
    place.person.push()
    await place.follower.start()
    ((fleet, told, rewritten),) = place.listener.adopted
    assert told
    assert (fleet.names, told.id, told.author, rewritten) == (frozenset({"m1"}), commit, "Ada", False)
    assert place.follower.problem is None


async def test_how_old_a_commit_can_be_is_told(place: PlaceRequest) -> None:
    """Since the last look, unless there was none; the daemon's own is new."""
    await place.follower.start()
    assert place.listener.most_age == math.inf
    began = time.monotonic()
    await place.follower.refresh()
    place.person.commit(machine(1))
    place.person.push()
    await place.follower.refresh()
    assert place.lists("m1")
    assert 0 < place.listener.most_age <= time.monotonic() - began
    place.follower._newest_at = -math.inf  # it has not looked for long
    await place.follower.commit(joins(2))
    assert place.lists("m2")
    assert 0 <= place.listener.most_age < 1
    place.person.pull()
    place.person.git("reset", "--hard", "HEAD~1")
    place.person.push("--force", "origin", "HEAD:main")
    await place.follower.refresh()
    assert not place.lists("m2")
    assert place.listener.most_age == math.inf, "a branch that was rewritten may be of any age"


class HeldOrigin(HostedOrigin):
    """One whose answer is on its way for as long as the test wants, once it is asked to be."""

    def __init__(self, repository: Repository) -> None:
        super().__init__(repository)
        self.asked, self.released = asyncio.Event(), asyncio.Event()
        self.holds = False

    async def newest(self) -> str:
        tip = await super().newest()
        if self.holds:
            self.holds = False
            self.asked.set()
            await self.released.wait()
        return tip


async def test_a_commit_while_a_refresh_is_under_way_is_not_replaced_by_an_older_one(tmp_path: Path) -> None:
    """The refresh knows of m1 only, when somebody has m2 committed on top of it."""
    place = PlaceRequest(tmp_path, followed=False)
    origin = HeldOrigin(place.central)
    follower = Follower(origin, place.listener)
    await follower.start()
    place.person.commit(machine(1))
    place.person.push()
    origin.holds = True
    async with asyncio.TaskGroup() as group:
        group.create_task(follower.refresh())
        await origin.asked.wait()
        committing = group.create_task(follower.commit(joins(2)))
        await asyncio.wait(
            [committing], timeout=1
        )  # it has time to be done, if it does not wait for the refresh
        origin.released.set()
    assert place.names == {"m1", "m2"}
    assert follower.in_force
    assert follower.in_force.commit.id == committing.result().commit.id == await place.central.tip()
    assert await place.central.resolve(IN_FORCE) == committing.result().commit.id


async def test_what_is_pushed_is_in_force_without_being_asked(place: PlaceRequest) -> None:
    await place.follower.start()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(place.follower.run())
        for number in (1, 2):
            place.person.commit(machine(number))
            place.person.push()
            await until(partial(place.lists, f"m{number}"))
        running.cancel()


async def test_a_faulty_commit_is_refused_once_and_the_last_good_state_stays(place: PlaceRequest) -> None:
    await place.follower.start()
    commit = place.person.commit(FAULTY)
    place.person.push()
    for _ in range(2):
        await place.follower.refresh()
    ((told, error),) = place.listener.rejected
    assert told
    assert told.id == commit
    assert error.findings == ["fleet.yaml:1: colour: no such key; remove it or correct its name"]
    assert place.follower.problem == f"commit {commit[:12]} is not applied: {error.findings[0]}"
    assert len(place.listener.adopted) == 1
    with pytest.raises(RepositoryError, match="is not applied"):
        await place.follower.commit(joins(1))

    place.person.commit({"fleet.yaml": "domain: mine.example\n"})
    place.person.push()
    await place.follower.refresh()
    assert place.follower.problem is None
    assert place.listener.adopted[-1][0].settings.domain == "mine.example"


async def test_history_that_is_rewritten_is_followed_and_said(place: PlaceRequest) -> None:
    place.person.commit(machine(1))
    place.person.push()
    await place.follower.start()
    place.person.git("reset", "--quiet", "--hard", "HEAD~1")
    place.person.commit(machine(2))
    place.person.push("--force", "origin", "HEAD:main")
    await place.follower.refresh()
    fleet, _, rewritten = place.listener.adopted[-1]
    assert (fleet.names, rewritten) == (frozenset({"m2"}), True)


async def test_a_commit_is_at_the_home_before_it_is_in_force(place: PlaceRequest) -> None:
    await place.follower.start()
    revision = await place.follower.commit(joins(1))
    assert place.names == {"m1"}
    assert await place.central.tip() == revision.commit.id
    assert await place.follower._origin.repository.resolve(IN_FORCE) == revision.commit.id
    assert git(place.central.path, "fsck", "--strict", "--no-dangling") == ""


@pytest.mark.parametrize("by", ["the daemon", "a command"])
async def test_a_lost_race_is_decided_again_on_what_has_won(place: PlaceRequest, by: str) -> None:
    commit = await place.committing(by)
    drawn: list[str] = []

    def draw(revision: Revision) -> Changes | None:
        if not drawn:
            place.person.commit(machine(1))
            place.person.push()
        return joins(1, drawn)(revision)

    revision = await commit(draw)
    assert len(drawn) == 2
    assert revision.fleet.names == {"m1"}
    assert revision.commit.author == "Ada", "what the person pushed is left as it is"


@pytest.mark.parametrize("by", ["the daemon", "a command"])
async def test_whoever_loses_every_race_is_told(place: PlaceRequest, by: str) -> None:
    commit = await place.committing(by)
    numbers = iter(range(1, 100))

    def draw(revision: Revision) -> Changes | None:
        place.person.commit(machine(next(numbers)))
        place.person.push()
        return joins(200)(revision)

    with pytest.raises(LostRaceError, match="other commits came first 8 times"):
        await commit(draw)
    assert next(numbers) == 9


async def test_a_command_gets_the_revision_that_it_committed_on(place: PlaceRequest) -> None:
    base = await place.central.tip()
    revision = await publish(place.origin("command"), joins(1))
    assert (revision.commit.id, revision.fleet.names) == (base, frozenset())
    assert "machines/m1.yaml" in git(place.central.path, "ls-tree", "-r", "--name-only", "main").split()


async def test_what_would_not_be_valid_is_not_committed(place: PlaceRequest) -> None:
    await place.follower.start()
    before = await place.central.tip()
    with pytest.raises(RepositoryError, match=r"the change to commit is not valid: fleet\.yaml:1: colour"):
        await place.follower.commit(lambda _: Changes("x", {"fleet.yaml": b"colour: red\n"}))
    assert await place.central.tip() == before


async def test_the_last_good_state_is_in_force_after_a_start_without_a_newer_one(place: PlaceRequest) -> None:
    place.person.commit(machine(1))
    place.person.push()
    await place.follower.start()
    place.person.commit(FAULTY)
    place.person.push()
    later = Listener()
    again = Follower(place.follower._origin, later)
    await again.start()
    assert [fleet.names for fleet, _, _ in later.adopted] == [{"m1"}]
    await again.refresh()
    assert again.problem
    assert len(later.adopted) == 1


async def test_a_start_waits_for_no_home_where_a_good_state_is_known(tmp_path: Path) -> None:
    """After a power cut the network comes up last; the origin here would not answer for a minute."""
    place = PlaceRequest(tmp_path, followed=True)
    await place.follower.start()
    mute = socket.create_server(("127.0.0.1", 0))
    silent = Remote(f"ssh://localhost:{mute.getsockname()[1]}/x", tmp_path / "hosts")
    repository = place.follower._origin.repository
    later = Listener()
    follower = Follower(FollowedOrigin(repository, silent, poll=1, read_only=False), later)
    async with asyncio.timeout(30):
        await follower.start()
    mute.close()
    assert len(later.adopted) == 1


async def test_a_first_start_with_a_faulty_commit_says_all_that_is_wrong(place: PlaceRequest) -> None:
    place.person.commit({**FAULTY, "machines/x.yaml": "role: king\n"})
    place.person.push()
    with pytest.raises(FleetError) as caught:
        await place.follower.start()
    assert len(caught.value.findings) >= 3


def replace_message(changes: Changes | None, message: str) -> Changes | None:
    return changes and Changes(message, changes.files)


async def test_two_keepers_give_one_name_once(place: PlaceRequest) -> None:
    """Each commits the first number that is free, as often as it can; nothing is given twice or lost."""
    followers = [Follower(place.origin(name), Listener()) for name in ("one", "other")]
    for follower in followers:
        await follower.start()
    given: list[int] = []

    async def gives(follower: Follower, who: int) -> None:
        for _ in range(5):
            number = 0

            def draw(revision: Revision) -> Changes | None:
                nonlocal number
                number = next(one for one in range(1, 100) if f"m{one}" not in revision.fleet.names)
                return replace_message(joins(number)(revision), f"by {who}")

            await follower.commit(draw)
            given.append(number)

    await asyncio.gather(*(gives(follower, who) for who, follower in enumerate(followers)))
    assert sorted(given) == list(range(1, 11))


async def test_a_home_that_is_away_decides_nothing_and_comes_back(tmp_path: Path) -> None:
    place = PlaceRequest(tmp_path, followed=True)
    await place.follower.start()
    away = place.central.path.rename(tmp_path / "away.git")
    await place.follower.refresh()
    assert place.follower.problem
    assert place.follower.problem.startswith(f"file://{place.central.path}: cannot be fetched: ")
    with pytest.raises(RepositoryError, match="cannot be fetched"):
        await place.follower.commit(joins(1))
    assert len(place.listener.adopted) == 1, "what was in force goes on"
    away.rename(place.central.path)
    assert (await place.follower.commit(joins(1))).fleet.names == {"m1"}
    assert place.follower.problem is None


async def test_a_first_start_without_its_home_has_nothing_and_waits(tmp_path: Path) -> None:
    place = PlaceRequest(tmp_path, followed=True)
    away = place.central.path.rename(tmp_path / "away.git")
    await place.follower.start()
    assert (place.follower.in_force, place.listener.adopted) == (None, [])
    assert place.follower.problem
    away.rename(place.central.path)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(place.follower.run())
        await until(lambda: place.listener.adopted)
        running.cancel()
    assert place.follower.problem is None


async def test_a_branch_that_is_not_there_is_named(tmp_path: Path) -> None:
    place = PlaceRequest(tmp_path, followed=True)
    git(place.central.path, "branch", "--move", "main", "trunk")
    await place.follower.start()
    assert place.follower.problem
    assert place.follower.problem.endswith("it has no branch main; push a fleet there, or set [fleet] branch")


async def test_a_home_that_takes_no_push_says_so(tmp_path: Path) -> None:
    place = PlaceRequest(tmp_path, followed=True)
    await place.follower.start()
    hook = place.central.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no admittance >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(RefusedPushError, match=r"rejects this daemon's push: .*or set \[fleet\] read_only"):
        await place.follower.commit(joins(1))
    assert place.names == frozenset()
