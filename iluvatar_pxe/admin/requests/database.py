"""Requests on the inventory's database as a file."""

from iluvatar_pxe.admin.requests.files import File
from iluvatar_pxe.admin.requests.request import Request

_ITS_FILES = "it is about files of that host"


class Upgrade(Request):
    """``db upgrade``: confirms that the tables are up to date; opening the database has migrated them."""

    route = "/api/v1/db/upgrade"
    local = _ITS_FILES


class Backup(Request):
    """``db backup``: writes a backup of the database."""

    route = "/api/v1/db/backup"
    local = _ITS_FILES
    file: File


class Restore(Request):
    """``db restore``: replaces the database with a backup."""

    route = "/api/v1/db/restore"
    local = _ITS_FILES
    file: File


class SetAside(Request):
    """``db set-aside``: starts with an empty database."""

    route = "/api/v1/db/set-aside"
    local = _ITS_FILES
