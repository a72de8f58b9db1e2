"""The ``backup:`` part of ``fleet.yaml``: where etcd's snapshots and Longhorn's volumes are copied."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StrictInt, model_validator

from iluvatar_pxe.declared.base import Model
from iluvatar_pxe.declared.shapes import Shape
from iluvatar_pxe.fleet.fields.values import FleetPath

_PART = r"[A-Za-z0-9_.%+-]+"
_HOST = r"(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:]+\])"
_FIELD = r"[0-9*/,A-Za-z-]+"
_WITH_CREDENTIALS = ("s3://", "azblob://")

Directory = Annotated[
    str,
    Shape(
        r"/(?!\.\.?(?:/|$))[^/\0]+(?:/(?!\.\.?(?:/|$))[^/\0]+)*",
        "write a directory from the root on, without '.' and '..', such as /mnt/nas/iluvatar",
    ),
]
TargetUrl = Annotated[
    str,
    Shape(
        rf"s3://{_PART}@{_PART}/(?:{_PART}/?)*"
        rf"|nfs://{_HOST}:/[^\s?]*(?:\?nfsOptions=[^\s]+)?"
        rf"|cifs://{_HOST}/[^\s]+"
        rf"|azblob://{_PART}@{_HOST}/(?:{_PART}/?)*",
        "write a URL that Longhorn knows, such as s3://BUCKET@REGION/ or nfs://nas:/volume1/longhorn",
    ),
]
JobName = Annotated[
    str,
    Shape(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", "write up to 40 of a-z, 0-9 and '-', such as nightly"),
]
Cron = Annotated[
    str,
    Shape(rf"{_FIELD}(?: {_FIELD}){{4}}", 'write five fields as cron has them, such as "0 3 * * *"'),
]


class JobTask(StrEnum):
    """What a recurring job of Longhorn does with each volume."""

    BACKUP = "backup"
    SNAPSHOT = "snapshot"
    SNAPSHOT_CLEANUP = "snapshot-cleanup"
    SNAPSHOT_DELETE = "snapshot-delete"
    FILESYSTEM_TRIM = "filesystem-trim"


class RecurringJob(Model):
    """What Longhorn does again and again with every volume that has no jobs of its own."""

    task: JobTask = JobTask.BACKUP
    """What is done."""
    cron: Cron
    """When, in UTC: minute, hour, day of the month, month, day of the week."""
    retain: Annotated[StrictInt, Field(ge=1, le=250)] = 7
    """How many snapshots or backups of each volume are kept."""


NIGHTLY: Mapping[str, RecurringJob] = {"nightly": RecurringJob(cron="0 3 * * *")}


class LonghornBackup(Model):
    """The ``longhorn:`` part: where Longhorn of each cluster copies its volumes, and when."""

    target: TargetUrl
    """The URL of an S3 bucket, an NFS or SMB share, or an Azure container."""
    credentials: FleetPath | None = None
    """A sealed file of the fleet with the keys that Longhorn's Secret has, such as ``AWS_ACCESS_KEY_ID: …``."""
    jobs: Annotated[Mapping[JobName, RecurringJob], Field(min_length=1)] = NIGHTLY
    """What is done when, by name."""

    @model_validator(mode="after")
    def _has_credentials(self) -> Self:
        if self.target.startswith(_WITH_CREDENTIALS) and self.credentials is None:
            raise ValueError("this target needs 'credentials', a sealed file of the fleet")
        return self


class Backup(Model):
    """What is copied where."""

    directory: Directory | None = None
    """Where each daemon copies its snapshots of etcd: a directory of its host, which has to exist."""
    longhorn: LonghornBackup | None = None
    """Where Longhorn copies its volumes."""
