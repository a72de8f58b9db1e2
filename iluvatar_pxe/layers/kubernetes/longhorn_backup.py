"""Longhorn's objects for what the fleet says of backups: its target, the Secret for it, and recurring jobs. Pure."""

from collections.abc import Iterator, Mapping

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.backup import LonghornBackup, RecurringJob
from iluvatar_pxe.fleet.sealed import is_sealed
from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.fleet.yaml.document import parse_documents
from iluvatar_pxe.layers.key_pair import encode
from iluvatar_pxe.layers.kubernetes.ours import Object, our

NAMESPACE = "longhorn-system"
KINDS = ("RecurringJob", "Secret")
"""Of these, the objects that the fleet does not want any more are deleted, in this order."""
_NAME = "iluvatar-backup"
_TARGET = "default"
"""Longhorn makes it by itself, and refuses to have it deleted."""
_VERSION = "longhorn.io/v1beta2"
_WANTED = "write a mapping of texts, such as AWS_ACCESS_KEY_ID: … and AWS_NAME_ACCESS_KEY: …"


def backup_objects(backup: LonghornBackup, credentials: Mapping[str, str]) -> Iterator[Object]:
    """Yield them, the Secret before the target that names it."""
    if credentials:
        data = {key: encode(value) for key, value in credentials.items()}
        yield our("v1", "Secret", _NAME, NAMESPACE, type="Opaque", data=data)
    yield _target(backup.target, _NAME if credentials else "")
    for name, job in backup.jobs.items():
        yield _job(name, job)


def no_target() -> Object:
    """Return the target that copies nothing."""
    return _target("", "")


def credentials_of(path: str, text: str) -> Mapping[str, str]:
    """Return what the Secret holds; raises ConfigurationError, without a word of the file."""
    if is_sealed(text):
        raise ConfigurationError(
            f"{path}: is sealed, but not to this host's key; run: iluvatar-pxe fleet recover --key FILE"
        )
    try:
        documents = parse_documents(text, str, "is no mapping")
    except DocumentError:
        raise ConfigurationError(f"{path}: {_WANTED}") from None
    found = dict(documents[0].value) if len(documents) == 1 else {}
    if not found or not all(isinstance(one, str) and one for one in found.values()):
        raise ConfigurationError(f"{path}: {_WANTED}")
    return found


def _target(url: str, secret: str) -> Object:
    spec: dict[str, object] = {"backupTargetURL": url, "credentialSecret": secret}
    return our(_VERSION, "BackupTarget", _TARGET, NAMESPACE, spec=spec)


def _job(name: str, job: RecurringJob) -> Object:
    spec: dict[str, object] = {
        "name": name,
        "task": job.task.value,
        "cron": job.cron,
        "retain": job.retain,
        "concurrency": 2,
        # Every volume without a job of its own is in it.
        "groups": ["default"],
        "labels": {},
    }
    return our(_VERSION, "RecurringJob", name, NAMESPACE, spec=spec)
