"""What is committed when machines join."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from support.fleets import CONFIGURED
from support.machines import machine_of

from iluvatar_pxe.boot.assign import PlaceRequest, Reservation
from iluvatar_pxe.fleet.models import Fleet, Rule
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.gitops.changes.joining import Draft, Joining, taken_names
from iluvatar_pxe.gitops.repository.bare import Commit
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.gitops.repository.tree import Tree
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Assignment, Role

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLACE = PlaceRequest(layer="arda", rule="rule 1 of fleet.yaml", options=Rule(layer="arda"))


def mac(number: int) -> str:
    return f"52:54:00:00:00:{number:02x}"


def revision_of(**files: str) -> Revision:
    texts = {"fleet.yaml": "", "layers/arda.yaml": CONFIGURED}
    texts |= {f"configs/{role}.yaml": "a: 1\n" for role in ("controlplane", "worker")}
    texts |= {f"machines/{name}.yaml": text for name, text in files.items()}
    return Revision(parse_fleet(texts), Commit("c" * 40, "Ada", "", ""), Tree("c" * 40, texts))


def draft_of(revision: Revision, taken: Sequence[Reservation], *joinings: Joining) -> Draft:
    draft = Draft(revision, taken, NOW)
    for joining in joinings:
        draft.add(joining)
    return draft


def committed(draft: Draft) -> Fleet:
    """Return the fleet that the draft's commit really declares."""
    files = draft.changes.files if draft.changes else {}
    texts = dict(draft.revision.tree.texts) | {path: (text or b"").decode() for path, text in files.items()}
    return parse_fleet(texts)


def roles(fleet: Fleet) -> dict[str, str | None]:
    return {one.name: one.file.role for one in fleet.listed}


def joining(number: int, place: PlaceRequest = PLACE, **fields: object) -> Joining:
    return Joining(machine_of(mac(number), **fields), place)


def test_many_join_by_one_commit_and_the_first_leads() -> None:
    draft = draft_of(revision_of(), [], *(joining(number) for number in range(1, 6)))
    assert roles(committed(draft)) == {
        "arda-01": Role.CONTROLPLANE,
        **{f"arda-0{number}": Role.WORKER for number in range(2, 6)},
    }
    assert draft.changes
    subject, _, told = draft.changes.message.partition("\n\n")
    assert subject == "arda-01, arda-02, arda-03 and 2 more join"
    assert told.splitlines()[1] == "arda-02: worker of arda; 52:54:00:00:00:02; rule 1 of fleet.yaml"
    assert draft.fleet.names == committed(draft).names


def test_one_that_is_listed_meanwhile_keeps_what_the_branch_says() -> None:
    listed = revision_of(nas=f'match: {{macs: ["{mac(1)}"]}}\nrole: worker\n')
    draft = draft_of(listed, [], joining(1))
    assert draft.changes is None
    assert draft.refused == {}


def test_a_listed_one_without_a_role_gets_one_in_its_own_file() -> None:
    text = f'# the tower\nmatch: {{macs: ["{mac(1)}"]}}  # its card\n'
    draft = draft_of(revision_of(tower=text), [], joining(1), joining(1))
    assert draft.changes
    assert draft.changes.files == {"machines/tower.yaml": f"{text}role: controlplane\n".encode()}
    assert draft.changes.message == "tower joins\n\ntower: controlplane of arda\n"


def test_a_role_that_was_given_before_is_what_is_written() -> None:
    place = PlaceRequest(layer="arda", name="tower", role=Role.WORKER, rule="")
    draft = draft_of(revision_of(tower=f'match: {{macs: ["{mac(1)}"]}}\n'), [], joining(1, place))
    assert roles(committed(draft)) == {"tower": Role.WORKER}


def test_names_that_stay_taken_are_not_given() -> None:
    taken = [Reservation(name="arda-01", layer="arda", role=Role.CONTROLPLANE, machine_id=None)]
    assert roles(committed(draft_of(revision_of(), taken, joining(1)))) == {"arda-02": Role.WORKER}


def test_a_machines_own_earlier_name_is_not_in_its_way() -> None:
    given = Assignment(name="arda-01", layer="arda", role=Role.WORKER, rule="", at=NOW)
    machine = machine_of(mac(1), assignment=given)
    place = PlaceRequest(layer="arda", name="arda-01", role=Role.WORKER, rule="rule 7")
    draft = draft_of(revision_of(), taken_names([machine], Fleet(), []), Joining(machine, place))
    assert roles(committed(draft)) == {"arda-01": Role.WORKER}


def test_a_name_that_the_branch_gives_to_another_is_refused() -> None:
    place = PlaceRequest(layer="arda", name="arda-01", role=Role.WORKER, rule="")
    other = revision_of(**{"arda-01": f'match: {{macs: ["{mac(9)}"]}}\nrole: worker\n'})
    draft = draft_of(other, [], joining(1, place), joining(2))
    assert list(draft.refused.values()) == ["machines/arda-01.yaml lists another machine; that name is taken"]
    assert roles(committed(draft))["arda-02"] is Role.CONTROLPLANE, "the others join"


def test_a_machine_that_two_files_list_is_refused() -> None:
    files = {name: f'match: {{macs: ["{mac(number)}"]}}\n' for name, number in (("a", 1), ("b", 2))}
    both = machine_of(mac(1), mac(2))
    draft = draft_of(revision_of(**files), [], Joining(both, PLACE))
    assert draft.refused == {
        both.id: "machines/a.yaml and machines/b.yaml list NICs of the same machine; remove it from one of them"
    }


def test_what_its_rule_says_of_how_it_boots_goes_into_its_file() -> None:
    rule = Rule.model_validate({"layer": "arda", "local": "exit", "program": "ipxe.efi"})
    place = PlaceRequest(layer="arda", rule="rule 1", options=rule)
    (listed,) = committed(draft_of(revision_of(), [], joining(1, place))).listed
    assert (listed.file.local, listed.file.program) == ("exit", "ipxe.efi")


def test_one_with_telling_hardware_is_known_by_any_of_its_cards() -> None:
    """The database is lost, and it boots by a card that it got after it had joined."""
    uuid = UUID("4c4c4544-0031-3010-8056-cac04f503258")
    fleet = committed(draft_of(revision_of(), [], joining(1, serial="JX31PX2", uuid=uuid)))
    assert [one.name for one in fleet.machines((mac(9),), "JX31PX2", uuid)] == ["arda-01"]


@pytest.mark.parametrize(
    ("serial", "uuid"),
    [
        ("To be filled by O.E.M.", "4c4c4544-0031-3010-8056-cac04f503258"),
        ("JX31PX2", "0" * 32),
        ("", "0" * 32),
    ],
)
def test_hardware_that_many_have_tells_nothing(serial: str, uuid: str) -> None:
    (listed,) = committed(draft_of(revision_of(), [], joining(1, serial=serial, uuid=UUID(uuid)))).listed
    assert listed.file.match.serial is None


def test_a_serial_number_that_another_file_has_is_left_out() -> None:
    """Two boards with one number: the second one joins all the same."""
    uuids = [UUID(int=number << 64 | 0x8056CAC04F503258) for number in (0x4C4C4544, 0x4C4C4545)]
    joinings = [joining(number, serial="JX31PX2", uuid=uuid) for number, uuid in enumerate(uuids, 1)]
    assert len(committed(draft_of(revision_of(), [], *joinings)).listed) == 2


def test_names_in_use_are_those_that_no_file_shows() -> None:
    def assigned(number: int, name: str) -> Machine:
        given = Assignment(name=name, layer="arda", role=Role.WORKER, rule="", at=NOW)
        return machine_of(mac(number), assignment=given)

    fleet = revision_of(listed=f'match: {{macs: ["{mac(1)}"]}}\n').fleet
    gone = Reservation(name="gone", layer="arda", role=Role.WORKER, machine_id=None)
    machines = [assigned(1, "listed"), assigned(2, "unlisted"), machine_of(mac(3))]
    assert {one.name for one in taken_names(machines, fleet, [gone])} == {"gone", "unlisted"}
