"""What is committed when a listed machine is renamed."""

from uuid import UUID

import pytest
from gitops.changes.test_joining import revision_of

from iluvatar_pxe.boot.assign import Reservation
from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.fleet.daemon_files import ClusterFile, Recovery
from iluvatar_pxe.gitops.changes.renaming import rename
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.values import replace

TEXT = 'match: {macs: ["52:54:00:00:00:01"]}  # by the window\r\n'
OTHER = 'match: {macs: ["52:54:00:00:00:02"]}\n'
CLUSTER = ClusterFile.model_validate({"layer": "arda", "caFingerprint": ":".join(["AA"] * 32)})


def reserved(name: str, holder: UUID | None = None) -> Reservation:
    return Reservation(name=name, layer="arda", role=Role.WORKER, machine_id=holder)


def with_cluster(**record: object) -> Revision:
    revision = revision_of(one=TEXT)
    cluster = CLUSTER.model_copy(update=record)
    fleet = replace(revision.fleet, clusters={"arda": cluster})
    return Revision(fleet, revision.commit, revision.tree)


def test_the_file_is_moved_to_the_letter() -> None:
    changes = rename(revision_of(one=TEXT, other=OTHER), "one", "two", [reserved("three")], "ada on pi")
    assert changes.files == {"machines/one.yaml": None, "machines/two.yaml": TEXT.encode()}
    assert changes.message == "one is renamed to two\n\nBy ada on pi.\n"


@pytest.mark.parametrize(
    ("old", "new", "taken", "why"),
    [
        ("none", "two", [], "none: the fleet has no machines/none.yaml"),
        ("one", "one", [], "one: machines/one.yaml has this name"),
        ("one", "other", [], "other: machines/other.yaml has this name"),
        ("one", "two", [reserved("two", UUID(int=1))], "two: a machine has or had this name"),
        ("one", "two", [reserved("two")], "or add it to reuseNames in layers/arda.yaml"),
    ],
)
def test_what_is_refused(old: str, new: str, taken: list[Reservation], why: str) -> None:
    with pytest.raises(OperationError, match=why):
        rename(revision_of(one=TEXT, other=OTHER), old, new, taken, "ada")


RECOVERY = Recovery(server="one", at="2026-11-30T12:00:00Z")


@pytest.mark.parametrize("record", [{"founder": "one"}, {"founder": "x", "recovery": RECOVERY}])
def test_who_founds_a_cluster_keeps_its_name(record: dict[str, object]) -> None:
    with pytest.raises(OperationError, match=r"clusters/arda\.yaml names it"):
        rename(with_cluster(**record), "one", "two", [], "ada")
    assert rename(with_cluster(founder="x"), "one", "two", [], "ada").files
