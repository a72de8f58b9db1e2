"""Unpacks what was downloaded and verified: whole files appear in the assets directory, or nothing does."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from iluvatar_pxe.assets.unpack.archive import unpack_archive
from iluvatar_pxe.assets.unpack.deb import MAGIC, read_deb
from iluvatar_pxe.assets.unpack.image import FACTS, unpack_image
from iluvatar_pxe.assets.unpack.stream import Report
from iluvatar_pxe.catalogue.download import Download, Unpack
from iluvatar_pxe.errors import DiskError, UnpackError
from iluvatar_pxe.host.durable import put_directory_in_place, put_in_place
from iluvatar_pxe.host.owner import Owner, make_directory

WORK = ".unpacking"
"""Folder of the assets directory where it happens; hidden files are not served."""


def unpack(download: Download, file: Path, assets: Path, report: Report) -> None:
    """Make assets of a verified file; blocks for minutes. Raises UnpackError and DiskError (one line).

    An image's folder is replaced as a whole, an archive's files one by one. What ``report`` raises ends it, too.
    """
    work = assets / WORK / download.name.replace("/", "_")
    try:
        if work.exists():
            shutil.rmtree(work)
        _make_folder(work / "new", assets)
        _build(download, file, work, assets, report)
        _give(work, Owner.of(assets))
        _put_in_place(download, work, assets)
    except UnpackError as error:
        raise UnpackError(f"{download.name}: {error}") from error
    except DiskError as error:
        raise DiskError(f"{download.name}: {error}") from error
    except OSError as error:
        raise DiskError(
            f"{download.name}: cannot be unpacked below {assets}: {error.strerror}; correct that"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def remove_leftovers(assets: Path) -> None:
    """Remove what an unpacking has left that was killed; none may run. Raises OSError."""
    if (assets / WORK).exists():
        shutil.rmtree(assets / WORK)


def _build(download: Download, file: Path, work: Path, assets: Path, report: Report) -> None:
    if download.unpack is Unpack.ARCHIVE:
        _unpack_members(file, download.members, work / "new", report)
    elif download.unpack is Unpack.PI_IMAGE:
        _check_folder(assets / download.folder)
        unpack_image(file, work / "new", work, report)


def _unpack_members(file: Path, members: Mapping[str, str], place: Path, report: Report) -> None:
    with file.open("rb") as opened:
        is_package = opened.read(len(MAGIC)) == MAGIC
    if not is_package:
        unpack_archive(file, members, place, report)
        return
    for member, content in read_deb(file.read_bytes(), members).items():
        target = place / members[member]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _give(work: Path, owner: Owner) -> None:
    """Give the assets' owner what root has made."""
    if os.geteuid() == 0:
        for path in work.rglob("*"):
            os.chown(path, owner.user, owner.group, follow_symlinks=False)


def _put_in_place(download: Download, work: Path, assets: Path) -> None:
    new = work / "new"
    if download.unpack is Unpack.PI_IMAGE:
        folder = assets / download.folder
        _make_folder(folder.parent, assets)
        _replace_folder(new, folder, work / "old")
        return
    for path in [path for path in new.rglob("*") if path.is_file()]:
        target = assets / path.relative_to(new)
        _make_folder(target.parent, assets)
        put_in_place(path, target)


def _make_folder(folder: Path, assets: Path) -> None:
    """Make a folder, and those above it, for the owner of the assets."""
    if folder != assets:
        _make_folder(folder.parent, assets)
        make_directory(folder, 0o755)


def _replace_folder(new: Path, folder: Path, old: Path) -> None:
    if folder.exists():
        folder.rename(old)
    put_directory_in_place(new, folder)


def _check_folder(folder: Path) -> None:
    """Refuse to replace what somebody has put there."""
    if folder.exists() and not (folder / FACTS).exists():
        raise UnpackError(
            f"has no place: {folder} was not unpacked by iluvatar-pxe; move it away, or name another image"
        )
