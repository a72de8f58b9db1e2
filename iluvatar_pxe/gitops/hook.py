"""The pre-receive hook of the fleet's repository: ``python -m iluvatar_pxe.gitops.hook BRANCH``, see githooks(5).

Git runs it in the repository, with the objects of the push in a place of their own, and keeps them only when it
exits 0. What it writes to standard error is shown to the person who pushes.
"""

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path

from iluvatar_pxe.errors import FleetError, RepositoryError
from iluvatar_pxe.fleet.yaml.document import printable
from iluvatar_pxe.gitops.repository.bare import Repository
from iluvatar_pxe.gitops.repository.git import Git
from iluvatar_pxe.gitops.repository.revision import read_revision

REFUSED = "push rejected; correct the faults and push again"


async def findings(repository: Repository, updates: Iterable[str]) -> list[str]:
    """Return all that is wrong with updates (lines ``old new ref``) of the branch; other refs are not looked at.

    Raises RepositoryError.
    """
    for update in updates:
        _, new, ref = update.rstrip("\n").split(" ", 2)
        if ref != repository.ref:
            continue
        if not new.strip("0"):
            return [f"{repository.branch}: holds the fleet and cannot be deleted"]
        try:
            await read_revision(repository, new)
        except FleetError as error:
            return error.findings
    return []


def main() -> None:
    """Check a push; exits 1 when it is not to be accepted, also when that cannot be told."""
    repository = Repository(Git(Path.cwd()), sys.argv[1])
    try:
        found = asyncio.run(findings(repository, sys.stdin))
    except RepositoryError as error:
        found = [str(error)]
    except Exception as error:  # noqa: BLE001 - the last resort: what was not checked is not accepted
        found = [f"the check itself failed: {error!r}"]
    for line in found:
        print(printable(line), file=sys.stderr)  # noqa: T201
    if found:
        print(REFUSED, file=sys.stderr)  # noqa: T201
        sys.exit(1)


if __name__ == "__main__":
    main()
