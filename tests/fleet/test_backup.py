"""Where the fleet has snapshots copied."""

import pytest
from support.fleets import fleet_of

from iluvatar_pxe.errors import FleetError


def test_a_directory_is_named_from_the_root_on() -> None:
    backup = fleet_of(fleet="backup: {directory: /mnt/nas/iluvatar}\n").settings.backup
    assert backup
    assert backup.directory == "/mnt/nas/iluvatar"
    assert fleet_of().settings.backup is None


@pytest.mark.parametrize("place", ["nas", "~/nas", "/", "/mnt/", "/mnt/../etc", "/mnt/.", "//mnt", "''", "1"])
def test_another_one_is_refused_in_file_and_line(place: str) -> None:
    with pytest.raises(FleetError, match=r"fleet\.yaml:2: backup\.directory: "):
        fleet_of(fleet=f"backup:\n  directory: {place}\n")


LONGHORN = "backup:\n  longhorn:\n    target: {}\n"


@pytest.mark.parametrize(
    "target",
    ["nfs://nas:/volume1/longhorn", "'nfs://nas:/v?nfsOptions=soft,timeo=330'", "cifs://nas/longhorn"],
)
def test_longhorn_copies_nightly_where_nothing_else_is_said(target: str) -> None:
    backup = fleet_of(fleet=LONGHORN.format(target)).settings.backup
    assert backup
    assert backup.longhorn
    (job,) = backup.longhorn.jobs.items()
    assert (job[0], job[1].task, job[1].cron, job[1].retain) == ("nightly", "backup", "0 3 * * *", 7)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("nas:/volume1\n", "3: backup.longhorn.target: write a URL that Longhorn knows"),
        ("s3://volumes@home/\n", "backup.longhorn: this target needs 'credentials', a sealed file"),
        ("s3://v@home/\n    credentials: secrets/x\n", "secrets/x is not a text file in the fleet"),
        (
            "nfs://nas:/v\n    jobs: {{a: {{cron: daily}}}}\n",
            "backup.longhorn.jobs.a.cron: write five fields",
        ),
        (
            "nfs://nas:/v\n    jobs: {{a: {{cron: '0 3 * * *', task: copy}}}}\n",
            "backup.longhorn.jobs.a.task: ",
        ),
    ],
)
def test_what_longhorn_would_not_take_is_refused(lines: str, reason: str) -> None:
    with pytest.raises(FleetError) as refused:
        fleet_of(fleet=LONGHORN.removesuffix("{}\n") + lines.replace("{{", "{").replace("}}", "}"))
    assert reason in str(refused.value)
