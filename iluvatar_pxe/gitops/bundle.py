"""A fleet as one file, a bundle of git's, from which another host's repository begins."""

import asyncio
from pathlib import Path

from iluvatar_pxe.errors import RepositoryError
from iluvatar_pxe.gitops.repository.bare import Changes, Repository
from iluvatar_pxe.gitops.repository.git import Git
from iluvatar_pxe.gitops.repository.revision import Revision, read_revision


async def bundle_fleet(directory: Path, branch: str, place: Path) -> tuple[Path, Revision]:
    """Return a bundle of the fleet in a clone, a bare repository or a plain directory, and its newest commit.

    Of a repository it has the branch with its history; of a plain directory, one commit. It is made in ``place``, an
    empty directory. Raises RepositoryError, FleetError where the fleet is not valid, and OSError.
    """
    repository = Repository(Git(place), branch)
    await repository.git.run("init", "--quiet", "--bare")
    if git := await asyncio.to_thread(_git_of, directory):
        source = Repository(git, branch)
        tip = await _committed(source)
        refspec = f"{source.ref}:{source.ref}"
        await repository.git.run("fetch", "--quiet", "--no-tags", str(source.path), refspec)
    else:
        files = await asyncio.to_thread(_files_below, directory)
        tip = await repository.draft(None, Changes("Fleet of a seed card\n", files))
        await repository.advance(None, tip)
    revision = await read_revision(repository, tip)
    bundle = place / "fleet.bundle"
    await repository.git.run("bundle", "create", "--quiet", str(bundle), repository.ref)
    return bundle, revision


def _git_of(directory: Path) -> Git | None:
    """Return git for a clone or a bare repository; None for a plain directory."""
    place = directory.absolute()
    if (place / ".git").exists():
        return Git(place, environment={"GIT_DIR": str(place / ".git")})
    return Git(place) if (place / "HEAD").is_file() and (place / "objects").is_dir() else None


async def _committed(source: Repository) -> str:
    """Return the newest commit; raises RepositoryError where there is none, or where not all is in it."""
    tip = await source.tip()
    if tip is None:
        raise RepositoryError(f"{source.path}: has no branch {source.branch}; commit the fleet to it")
    status, output, _ = await source.git.attempt("status", "--porcelain")  # 128: it is bare
    if status == 0 and output:
        raise RepositoryError(f"{source.path}: has changes that are not committed; commit them, or undo them")
    return tip


def _files_below(directory: Path) -> dict[str, bytes]:
    """Return the contents of all files by path; raises RepositoryError where there are none."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file() and not path.is_symlink())
    if not paths:
        raise RepositoryError(f"{directory}: has no files; name the directory of a fleet")
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}
