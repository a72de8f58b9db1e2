"""The table of a disk with one partition, as Linux' tools read it."""

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.layers.ainur.installer.gpt import ALIGNED, OnePartition

GB = 10**9


def tool(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def put(disk: Path, table: OnePartition, count: int) -> None:
    """Write the first ``count`` parts of a table."""
    disk.touch()
    with disk.open("r+b") as file:
        file.truncate(table.size)
        for one in table.writes()[:count]:
            file.seek(one.offset)
            file.write(one.data)


@pytest.mark.parametrize("size", [8 * GB, 8 * GB + 512, 3000 * GB])
def test_sfdisk_finds_one_partition_and_no_fault(tmp_path: Path, size: int) -> None:
    table = OnePartition(size=size, sector=512, name="S-1")
    put(tmp_path / "disk", table, 3)
    assert "No errors detected" in tool("sfdisk", "--verify", str(tmp_path / "disk"))
    (part,) = json.loads(tool("sfdisk", "--json", str(tmp_path / "disk")))["partitiontable"]["partitions"]
    assert (part["start"] * 512, part["size"] * 512) == (table.partition.start, table.partition.size)
    assert part["type"] == "0FC63DAF-8483-4772-8E79-3D69D8477DE4"


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_disk_whose_table_was_not_written_to_its_end_still_counts_as_empty(
    tmp_path: Path, count: int
) -> None:
    put(tmp_path / "disk", OnePartition(size=8 * GB, sector=512, name="S-1"), count)
    assert (
        subprocess.run(["blkid", "-p", tmp_path / "disk"], capture_output=True, check=False).returncode == 2
    )


def test_a_file_system_that_was_made_before_the_table_is_in_the_partition(tmp_path: Path) -> None:
    disk, table = tmp_path / "disk", OnePartition(size=8 * GB, sector=512, name="S-1")
    put(disk, table, 0)
    blocks = str(table.partition.size // 4096)
    tool(
        "mke2fs",
        "-q",
        "-F",
        "-t",
        "ext4",
        "-b",
        "4096",
        "-L",
        "data",
        "-E",
        f"offset={ALIGNED}",
        str(disk),
        blocks,
    )
    assert subprocess.run(["blkid", "-p", disk], capture_output=True, check=False).returncode == 2
    put(disk, table, 3)
    found = tool("blkid", "-p", "-O", str(table.partition.start), "-S", str(table.partition.size), str(disk))
    assert 'LABEL="data"' in found


@given(st.integers(8 * GB, 20_000 * GB), st.sampled_from([512, 4096]))
def test_nothing_of_the_table_lies_in_the_partition_or_behind_the_disk(size: int, sector: int) -> None:
    table = OnePartition(size=size // sector * sector, sector=sector, name="S-1")
    part = table.partition
    assert part.start % ALIGNED == part.end % ALIGNED == 0
    assert part.size > table.size - 3 * ALIGNED
    for one in table.writes():
        end = one.offset + len(one.data)
        assert end <= part.start or part.end <= one.offset
        assert end <= table.size
        assert one.offset % sector == len(one.data) % sector == 0
    last = table.writes()[-1]
    assert (last.offset, len(last.data)) == (0, sector), (
        "one sector, which a disk takes as a whole or not at all"
    )
