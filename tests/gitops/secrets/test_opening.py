"""What is sealed is opened for those who read it, as far as this host's key goes."""

import pytest
from pyrage.x25519 import Identity

from iluvatar_pxe.errors import SealError
from iluvatar_pxe.gitops.secrets.opening import Opener
from iluvatar_pxe.gitops.secrets.sealing import new_key, seal

CLEAR = {"configs/clear.yaml": "machine: {}\n"}


def sealed(text: bytes, *keys: Identity) -> str:
    return seal(text, [str(key.to_public()) for key in keys]).decode()


def test_what_is_sealed_to_it_is_opened_and_the_rest_is_left() -> None:
    own, other = new_key(), new_key()
    texts = {
        **CLEAR,
        "configs/own.yaml": sealed("machine: {ü}\n".encode(), other, own),
        "configs/other.yaml": sealed(b"x", other),
        "configs/no-text.yaml": sealed(b"\xff", own),
        "configs/empty.yaml": sealed(b"", own),
        "configs/damaged.yaml": sealed(b"x", own)[:-60],
    }
    opener = Opener(lambda: own)
    expected = {**texts, "configs/own.yaml": "machine: {ü}\n", "configs/empty.yaml": ""}
    for _ in range(2):
        assert opener.open(texts) == expected
    assert opener.recipient == str(own.to_public())


def test_without_a_key_everything_stays_sealed() -> None:
    texts = {**CLEAR, "configs/a.yaml": sealed(b"x", new_key())}
    opener = Opener(lambda: None)
    assert opener.open(texts) == texts
    assert opener.recipient == ""


def test_the_key_is_not_needed_where_nothing_is_sealed() -> None:
    def damaged() -> Identity:
        raise SealError("age.key: is damaged")

    assert Opener(damaged).open(CLEAR) == CLEAR
    with pytest.raises(SealError, match=r"age\.key"):
        Opener(damaged).open({"a": sealed(b"x", new_key())})


def test_what_was_opened_is_remembered_only_as_long_as_it_is_there() -> None:
    own = new_key()
    opener = Opener(lambda: own)
    opener.open({"a": sealed(b"old", own)})
    opener.open({"a": sealed(b"new", own)})
    assert list(opener._known.values()) == ["new"]
