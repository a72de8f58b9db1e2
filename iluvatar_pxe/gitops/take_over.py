"""Imports the history of another repository into a hosted one, such as a lost Pi's clone or mirror."""

from iluvatar_pxe.errors import RepositoryError
from iluvatar_pxe.gitops.repository.bare import Repository
from iluvatar_pxe.gitops.repository.git import OURS
from iluvatar_pxe.gitops.repository.remote import NETWORK_SECONDS, Remote
from iluvatar_pxe.gitops.repository.revision import read_revision

_TAKEN = "refs/iluvatar/taken"


async def take_over(repository: Repository, remote: Remote) -> None:
    """Set the branch to the remote's commit, if the local branch has no commits yet.

    Raises RepositoryError, and FleetError where the remote's fleet is not valid.
    """
    tip = await repository.tip()
    if tip and not await _is_untouched(repository, tip):
        raise RepositoryError(
            f"{repository.path}: already has commits, which are not replaced; push to it, or move it away first"
        )
    git = remote.git(repository.path)
    refspec = f"+{repository.ref}:{_TAKEN}"
    await git.run("fetch", "--quiet", "--no-write-fetch-head", remote.url, refspec, seconds=NETWORK_SECONDS)
    new = await repository.resolve(_TAKEN)
    if new is None:
        raise RepositoryError(f"{remote.url}: has no branch {repository.branch}; set [fleet] branch")
    await read_revision(repository, new)
    await repository.advance(tip, new)


async def _is_untouched(repository: Repository, tip: str) -> bool:
    """Say whether only daemons have committed, and no machine has joined."""
    authors = (
        (await repository.git.run("log", "--format=%an", tip, "--")).decode("utf-8", "replace").splitlines()
    )
    revision = await read_revision(repository, tip)
    return not revision.fleet.listed and all(author.startswith(OURS) for author in authors)
