"""A cluster gets its secrets once, and one founder at a time: what a commit says already stays."""

from datetime import UTC, datetime

import pytest
from support.revisions import after, revision_of

from iluvatar_pxe.errors import FleetError, OperationError, SealError
from iluvatar_pxe.fleet.daemon_files import ClusterFile, RecipientsFile
from iluvatar_pxe.fleet.sealed import is_sealed
from iluvatar_pxe.gitops.changes.founding import found_again, give_secrets, name_founder, note_founded
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.gitops.secrets.recipients import recipients_text
from iluvatar_pxe.gitops.secrets.sealing import new_key, unseal

KEY = new_key()
MARK, OTHER = (":".join([byte] * 32) for byte in ("AB", "CD"))
SECRETS = "cluster: {token: t0ps3cr3t}\n"
RECIPIENTS = recipients_text(RecipientsFile(recovery=str(KEY.to_public())))
BEGUN = revision_of({"recipients.yaml": RECIPIENTS})


def cluster(**more: object) -> ClusterFile:
    return ClusterFile.model_validate({"layer": "arda", "caFingerprint": MARK, **more})


def secret() -> Revision:
    """The revision in which the cluster has its secrets, and no founder."""
    return after(BEGUN, give_secrets(BEGUN, "arda", MARK, SECRETS))


def test_a_cluster_has_its_secrets_before_its_founder() -> None:
    revision = secret()
    assert revision.fleet.clusters == {"arda": cluster()}
    sealed = revision.tree.texts["clusters/arda.secrets.age"]
    assert is_sealed(sealed)
    assert unseal("", sealed.encode(), [KEY]).decode() == SECRETS
    assert [path for path, text in revision.tree.texts.items() if "t0ps3cr3t" in text] == []
    assert "clusters/arda.secrets.age" not in revision.fleet.texts, "which are opened, and may be shown"


def test_of_two_secrets_the_first_ones_count() -> None:
    assert give_secrets(secret(), "arda", OTHER, "other") is None
    assert give_secrets(secret(), "numenor", OTHER, "other") is not None


def test_nothing_is_committed_that_nobody_could_open() -> None:
    with pytest.raises(SealError, match="has no recipients"):
        give_secrets(revision_of({}), "arda", MARK, SECRETS)


def test_of_two_founders_the_first_one_counts() -> None:
    named = after(secret(), name_founder(secret(), "arda", "arda-01"))
    assert named.fleet.clusters["arda"].founder == "arda-01"
    assert named.tree.texts["clusters/arda.secrets.age"] == secret_text(named)
    assert name_founder(named, "arda", "arda-02") is None
    assert name_founder(named, "arda", "arda-01") is None


def secret_text(revision: Revision) -> str:
    assert unseal("", revision.tree.texts["clusters/arda.secrets.age"].encode(), [KEY]).decode() == SECRETS
    return revision.tree.texts["clusters/arda.secrets.age"]


def test_a_cluster_that_is_founded_again_keeps_its_secrets_and_has_no_founder() -> None:
    named = after(secret(), name_founder(secret(), "arda", "arda-01"))
    again = after(named, found_again(named, "arda", 1))
    expected = cluster(generation=2)
    assert again.fleet.clusters == {"arda": expected}
    assert secret_text(again) == secret_text(named)
    assert found_again(again, "arda", 1) is None, "another daemon was quicker"
    renamed = after(again, name_founder(again, "arda", "arda-02"))
    assert renamed.fleet.clusters["arda"] == expected.model_copy(update={"founder": "arda-02"})


def test_that_a_cluster_is_founded_is_said_once_and_forgotten_when_it_is_founded_again() -> None:
    named, now = (
        after(secret(), name_founder(secret(), "arda", "arda-01")),
        datetime(2026, 12, 1, 12, tzinfo=UTC),
    )
    founded = after(named, note_founded(named, "arda", 1, now))
    assert founded.fleet.clusters["arda"] == cluster(founder="arda-01", founded="2026-12-01T12:00:00Z")
    assert note_founded(founded, "arda", 1, now) is None
    again = after(founded, found_again(founded, "arda", 1))
    assert again.fleet.clusters["arda"] == cluster(generation=2)
    assert note_founded(again, "arda", 1, now) is None, "what was seen was the cluster before"


def test_a_cluster_without_secrets_has_no_founder() -> None:
    told = r"^clusters/arda\.yaml: is not there, so arda has no secrets; "
    with pytest.raises(OperationError, match=told):
        name_founder(BEGUN, "arda", "a")
    with pytest.raises(OperationError, match=told):
        found_again(BEGUN, "arda", 1)


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        (
            "clusters/arda.yaml",
            None,
            "clusters/arda.secrets.age:1: clusters/arda.yaml is missing; restore it",
        ),
        (
            "clusters/arda.secrets.age",
            None,
            "clusters/arda.yaml:1: clusters/arda.secrets.age is missing; restore",
        ),
        (
            "clusters/arda.secrets.age",
            SECRETS.encode(),
            "clusters/arda.secrets.age:1: is not sealed; remove it",
        ),
        (
            "clusters/arda.yaml",
            f'layer: other\ncaFingerprint: "{MARK}"\n'.encode(),
            "clusters/arda.yaml:1: layer: is other, but the file is named arda; give both the layer's name",
        ),
    ],
)
def test_a_push_that_halves_or_shows_the_secrets_is_refused(
    path: str, text: bytes | None, fault: str
) -> None:
    files: dict[str, bytes | None] = {name: one.encode() for name, one in secret().tree.texts.items()}
    files[path] = text
    with pytest.raises(FleetError) as refused:
        revision_of({name: content for name, content in files.items() if content is not None})
    assert [line for line in refused.value.findings if line.startswith(fault)]
