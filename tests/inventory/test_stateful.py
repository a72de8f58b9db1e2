"""Identity and assignment over a real file: whatever is seen and asked for, in any order, with restarts and crashes."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from inventory.samples import known, rows, script, sighting, url_of
from support.fleets import fleet_of

from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.values import replace

T = TypeVar("T")
BOXES, CARDS = 3, 3
BOX = st.integers(0, BOXES - 1)
CARD = st.integers(0, CARDS - 1)
CARD_SETS = st.lists(CARD, unique=True, min_size=1)
FLEET = fleet_of(ainur="servers: 1\n")
PLACES = st.one_of(
    st.sampled_from([PlaceRequest(layer=layer, rule="rule 1") for layer in ("ainur", "arda")]),
    st.builds(
        PlaceRequest,
        layer=st.just("arda"),
        name=st.sampled_from(["arda-01", "arda-03", "gandalf"]),
        role=st.sampled_from([None, Role.WORKER, Role.CONTROLPLANE]),
        rule=st.just("machines/gandalf.yaml"),
    ),
)


def mac(box: int, card: int) -> str:
    return f"52:54:00:00:{box:02x}:{card:02x}"


def box_of(address: str) -> int:
    return int(address.split(":")[4], 16)


def timeless(snapshot: Snapshot) -> dict[UUID, Machine]:
    return {id_: replace(one, last_seen=one.first_seen) for id_, one in snapshot.by_id.items()}


def hardware(box: int) -> dict[str, Any]:
    return {"uuid": UUID(int=0x1234 + box), "serial": f"PC{box:05}", "product": "M93p"}


class Lab(RuleBasedStateMachine):
    """A few boxes, each with a few cards."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = TemporaryDirectory()
        self.file = Path(self.directory.name) / "inventory.db"
        self.given: dict[tuple[str, str], int] = {}
        self.freed: set[tuple[str, str]] = set()
        self.told = asyncio.Event()
        self.inventory = self.opened()

    def teardown(self) -> None:
        self.restart()
        self.run(self.inventory.close())
        self.runner.close()
        self.directory.cleanup()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def opened(self) -> Inventory:
        async def fresh() -> Inventory:
            inventory = Inventory(url_of(self.file))
            inventory.changed.subscribers.add(self.told)
            self.seen = inventory.snapshot
            self.told.clear()
            await inventory.open()
            assert inventory.health is None
            return inventory

        return self.run(fresh())

    def machine(self, box: int, card: int) -> Machine | None:
        return self.inventory.snapshot.machine(mac(box, card))

    @rule(box=BOX, card=CARD, stage=st.sampled_from([Stage.DISCOVER, Stage.NBP, Stage.IPXE_DISCOVER]))
    def firmware_asks(self, box: int, card: int, stage: Stage) -> None:
        self.inventory.observe(sighting(mac(box, card)), stage)

    @rule(box=BOX, cards=CARD_SETS, told=st.booleans(), stage=st.sampled_from([Stage.SCRIPT, Stage.CONFIG]))
    def ipxe_asks(self, box: int, cards: list[int], told: bool, stage: Stage) -> None:  # noqa: FBT001
        told_of = hardware(box) if told else {}
        seen = script(*(mac(box, card) for card in cards), **told_of)
        self.inventory.observe(seen, stage, vouched=True, chain="talos")

    @rule(victim=BOX, attacker=BOX, card=CARD)
    def somebody_lies(self, victim: int, attacker: int, card: int) -> None:
        lie = script(mac(victim, card), *(mac(attacker, one) for one in range(CARDS)), **hardware(attacker))
        self.inventory.observe(lie, Stage.SCRIPT)

    @rule(box=BOX, card=CARD, place=PLACES)
    def assign(self, box: int, card: int, place: PlaceRequest) -> None:
        machine = self.machine(box, card)
        if machine is None:
            return
        try:
            given = self.run(self.inventory.assign(machine.id, place, FLEET)).assignment
        except InventoryError as error:
            assert "is already the name of machine" in str(error)  # noqa: PT017
            return
        assert given
        key = given.layer, given.name
        if key in self.freed and place.name == given.name:
            self.freed.remove(key)  # the fleet gives the name of a forgotten machine to another
            self.given[key] = box
        assert self.given.setdefault(key, box) == box

    @rule(box=BOX, card=CARD)
    def forget(self, box: int, card: int) -> None:
        if machine := self.machine(box, card):
            self.run(self.inventory.forget(machine.id, "anna"))

    @rule(box=BOX, one=CARD, other=CARD)
    def merge(self, box: int, one: int, other: int) -> None:
        first, second = self.machine(box, one), self.machine(box, other)
        if first and second and first.id != second.id:
            self.run(self.inventory.merge(first.id, second.id, "anna"))

    @rule(box=BOX, card=CARD)
    def split(self, box: int, card: int) -> None:
        machine = self.machine(box, card)
        if machine and len(machine.macs) > 1:
            self.run(self.inventory.split(machine.id, mac(box, card), "anna"))

    @rule()
    def restart(self) -> None:
        before = dict(self.inventory.snapshot.by_id)
        self.run(self.inventory.close())
        assert {one.id: one for one in known(self.file).values()} == before
        self.inventory = self.opened()
        assert dict(self.inventory.snapshot.by_id) == before

    @rule()
    def crash(self) -> None:
        """What a kill leaves: the file, and nothing that was not committed."""
        self.inventory._store.close()
        self.inventory = self.opened()

    @invariant()
    def every_change_is_told(self) -> None:
        """But for when machines were seen that ask again and again."""
        assert self.told.is_set() or timeless(self.inventory.snapshot) == timeless(self.seen)
        self.seen = self.inventory.snapshot
        self.told.clear()

    @invariant()
    def a_machine_has_cards_of_one_box(self) -> None:
        for machine in self.inventory.snapshot.by_id.values():
            assert len({box_of(card) for card in machine.macs}) == 1

    @invariant()
    def a_card_is_in_one_machine(self) -> None:
        snapshot = self.inventory.snapshot
        assert dict(snapshot.owners) == {card: one.id for one in snapshot.by_id.values() for card in one.macs}

    @invariant()
    def a_name_is_one_machine_s(self) -> None:
        named = [one.assignment for one in self.inventory.snapshot.by_id.values() if one.assignment]
        assert len({(one.layer, one.name) for one in named}) == len(named)

    @invariant()
    def no_name_is_lost(self) -> None:
        taken = rows(self.file, "SELECT layer, name, machine_id IS NULL FROM assignments")
        assert {(layer, name) for layer, name, _ in taken} == set(self.given)
        self.freed = {(layer, name) for layer, name, free in taken if free}

    @invariant()
    def rows_belong_together(self) -> None:
        assert rows(self.file, "PRAGMA foreign_key_check") == []


Lab.TestCase.settings = settings(
    max_examples=12, stateful_step_count=30, suppress_health_check=list(HealthCheck)
)


class LongLab(Lab):
    """The same, for longer."""


LongLab.TestCase.settings = settings(
    max_examples=1000, stateful_step_count=60, suppress_health_check=list(HealthCheck)
)
TestAnyOrder = Lab.TestCase
TestAnyOrderForLong = pytest.mark.long(LongLab.TestCase)
