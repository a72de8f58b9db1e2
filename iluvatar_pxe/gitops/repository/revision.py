"""A state of the fleet's repository, read and validated."""

import asyncio
from collections.abc import Mapping

from msgspec import Struct

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.fleet.yaml.document import Findings
from iluvatar_pxe.gitops.repository.bare import Commit, Repository
from iluvatar_pxe.gitops.repository.tree import Tree, read_tree
from iluvatar_pxe.layers.ainur.fragment_check import check_fragments
from iluvatar_pxe.layers.ainur.schemas import cloud_config_schema
from iluvatar_pxe.layers.arda.patch_check import check_patches
from iluvatar_pxe.layers.arda.schemas import schema_of

MOST_FINDINGS = 100
"""Most faults reported at once."""
_REMEMBERED = 3
"""What is pushed, what the branch has, and one more, since the last of a push is not the first of the next."""


class Revision(Struct, frozen=True):
    """A valid commit."""

    fleet: Fleet
    commit: Commit
    tree: Tree


async def read_revision(repository: Repository, commit: str, known: Revision | None = None) -> Revision:
    """Read and validate a commit; raises RepositoryError, and FleetError with all that is wrong with its files.

    What it has in common with a ``known`` one is not read again.
    """
    tree = await read_tree(repository.git, commit, known.tree if known else None)
    described = await repository.describe(commit)
    if known and not tree.faults and tree.texts == known.tree.texts:
        return Revision(known.fleet, described, tree)
    fleet = await asyncio.to_thread(parse_texts, tree.texts, tree.faults)
    return Revision(fleet, described, tree)


class Revisions:
    """Reads commits, and remembers the last valid ones: what these have is not read again."""

    def __init__(self) -> None:
        self._known: dict[str, Revision] = {}
        """By commit, the one that was read last at the end."""

    async def read(self, repository: Repository, commit: str) -> Revision:
        """Read and validate a commit, as ``read_revision`` does, unless it was one of the last."""
        revision = self._known.pop(commit, None)
        if revision is None:
            newest = next(reversed(self._known.values()), None)
            revision = await read_revision(repository, commit, newest)
        self._known[commit] = revision
        for old in list(self._known)[:-_REMEMBERED]:
            del self._known[old]
        return revision


def parse_texts(texts: Mapping[str, str], faults: Mapping[str, str]) -> Fleet:
    """Build the fleet of these texts; what patches make of configurations, and cloud-configs, is checked as well; blocks.

    Raises FleetError, with ``faults`` (by path) among what is wrong.
    """
    findings = Findings()
    for path, why in faults.items():
        findings.add(path, 1, why)
    try:
        fleet = parse_fleet(texts)
    except FleetError as error:
        known = {line.partition(":")[0] for line in findings.lines}
        lines = [line for line in error.findings if line.partition(":")[0] not in known]
        raise FleetError(first_findings([*findings.lines, *lines])) from error
    if found := findings.lines or _wrong_with(fleet):
        raise FleetError(first_findings(found))
    return fleet


def _wrong_with(fleet: Fleet) -> list[str]:
    return [*check_patches(fleet, schema_of), *check_fragments(fleet, cloud_config_schema)]


def first_findings(findings: list[str]) -> list[str]:
    """Return as many faults as are told at once, and how many more there are."""
    more = len(findings) - MOST_FINDINGS
    return [*findings[:MOST_FINDINGS], f"and {more} faults more"] if more > 0 else findings
