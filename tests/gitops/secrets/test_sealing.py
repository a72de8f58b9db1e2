"""Secrets in Git: sealed to the owner and each daemon, opened by nobody else, and on a new host by the recovery key."""

import stat
from pathlib import Path

import pytest
from support.revisions import after, revision_of

from iluvatar_pxe.errors import SealError
from iluvatar_pxe.fleet.daemon_files import RecipientsFile
from iluvatar_pxe.gitops.changes.founding import give_secrets
from iluvatar_pxe.gitops.secrets.recipients import Enlisting, recipients_text
from iluvatar_pxe.gitops.secrets.recover import recovery
from iluvatar_pxe.gitops.secrets.renew import renewal
from iluvatar_pxe.gitops.secrets.sealing import daemon_key, key_of, new_key, seal, unseal

SECRET = b"cluster: {token: t0ps3cr3t}\n"
MARK = ":".join(["AB"] * 32)


def test_only_who_it_is_sealed_to_opens_it() -> None:
    owner, daemon, other = new_key(), new_key(), new_key()
    sealed = seal(SECRET, [str(owner.to_public()), str(daemon.to_public())])
    assert b"t0ps3cr3t" not in sealed
    assert sealed.isascii()
    assert [unseal("x", sealed, [key]) for key in (owner, daemon)] == [SECRET, SECRET]
    with pytest.raises(SealError, match=r"^clusters/a: no available key decrypts it, or it is damaged; "):
        unseal("clusters/a", sealed, [other])


@pytest.mark.parametrize("damage", [b"", b"junk", b"-----BEGIN AGE ENCRYPTED FILE-----\n"])
def test_what_is_damaged_is_one_error(damage: bytes) -> None:
    with pytest.raises(SealError):
        unseal("x", damage, [new_key()])


def test_a_changed_octet_is_found() -> None:
    key = new_key()
    sealed = bytearray(seal(SECRET, [str(key.to_public())]))
    sealed[-60] ^= 1
    with pytest.raises(SealError):
        unseal("x", bytes(sealed), [key])


def test_nothing_is_sealed_to_nobody() -> None:
    with pytest.raises(SealError, match="has no recipients"):
        seal(SECRET, [])


def test_a_daemons_key_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    file = tmp_path / "age.key"
    key = daemon_key(file)
    assert str(daemon_key(file)) == str(key)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_damaged_key_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "age.key"
    for text in ("", "nonsense", "AGE-SECRET-KEY-1XYZ"):
        file.write_text(text)
        with pytest.raises(SealError, match=r"age\.key: "):
            daemon_key(file)
        assert file.read_text() == text


def test_a_key_file_as_age_keygen_writes_it() -> None:
    key = new_key()
    text = f"# created: 2026-01-01\n# public key: {key.to_public()}\n{key}\n"
    assert str(key_of(text, "x")) == str(key)


def test_recipients_are_added_and_never_taken_away() -> None:
    owner, one, two = (str(new_key().to_public()) for _ in range(3))
    first = Enlisting("raspberrypi", one, owner).recipients(RecipientsFile())
    second = Enlisting("raspberrypi", two, "age1other").recipients(first)
    assert second.recovery == owner, "a recovery key that is there stays"
    assert dict(second.daemons) == {"raspberrypi": one, "raspberrypi-2": two}
    assert Enlisting("raspberrypi", two).changes(second) is None
    assert revision_of({"recipients.yaml": recipients_text(second)}).fleet.recipients == second


@pytest.mark.parametrize("host", ["", "Ünï.lan", "-x-", "a" * 200, "yes", "0x1f"])
def test_any_host_name_can_be_enlisted(host: str) -> None:
    changes = Enlisting(host, str(new_key().to_public())).changes(RecipientsFile())
    assert changes
    assert len(revision_of(dict(changes.files)).fleet.recipients.daemons) == 1


def test_a_new_host_the_repository_and_the_recovery_key_are_enough() -> None:
    owner, lost, new = new_key(), new_key(), new_key()
    known = Enlisting("pi-1", str(lost.to_public()), str(owner.to_public())).recipients(RecipientsFile())
    begun = revision_of({"recipients.yaml": recipients_text(known)})
    founded = after(begun, give_secrets(begun, "arda", MARK, SECRET.decode()))
    enlisting = Enlisting("pi-2", str(new.to_public()))
    enlisted = after(founded, enlisting.changes(known))  # as its daemon does at its first start
    for revision in (founded, enlisted):
        recovered = after(revision, recovery(revision, enlisting, new, owner))
        sealed = recovered.tree.texts["clusters/arda.secrets.age"].encode()
        assert [unseal("x", sealed, [key]) for key in (new, owner, lost)] == [SECRET] * 3
        assert recovery(recovered, enlisting, new, owner) is None, "nothing is left to do"
        with pytest.raises(SealError, match="this key is not of this fleet"):
            recovery(revision, enlisting, new, new_key())


def test_a_recovery_key_is_renewed_by_a_daemon_that_opens_the_secrets() -> None:
    former, own, other, new = (new_key() for _ in range(4))
    keys = RecipientsFile(
        recovery=str(former.to_public()),
        daemons={"pi-1": str(own.to_public()), "pi-2": str(other.to_public())},
    )
    begun = revision_of({"recipients.yaml": recipients_text(keys)})
    founded = after(begun, give_secrets(begun, "arda", MARK, SECRET.decode()))
    renewed = after(founded, renewal(founded, "pi-1", own, str(new.to_public())))
    assert renewed.fleet.recipients == keys.model_copy(update={"recovery": str(new.to_public())})
    sealed = renewed.tree.texts["clusters/arda.secrets.age"].encode()
    assert [unseal("x", sealed, [key]) for key in (new, own, other)] == [SECRET] * 3
    with pytest.raises(SealError):
        unseal("x", sealed, [former])


def test_no_recovery_key_is_renewed_by_a_host_that_does_not_open_the_secrets() -> None:
    own = new_key()
    begun = revision_of({"recipients.yaml": recipients_text(RecipientsFile(recovery=str(own.to_public())))})
    founded = after(begun, give_secrets(begun, "arda", MARK, SECRET.decode()))
    with pytest.raises(SealError, match=r"clusters/arda\.secrets\.age: no available key decrypts it"):
        renewal(founded, "pi-2", new_key(), str(new_key().to_public()))
