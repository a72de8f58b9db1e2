"""Tokens: shown once, kept as hashes, and never lost or given away by accident."""

import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.rights import NOBODY, directory_for_nobody, without_root

from iluvatar_pxe.errors import RepositoryError, UsageError
from iluvatar_pxe.gitops.secrets.tokens import Right, Tokens


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path / "state" / "git")


def file(tokens: Tokens) -> Path:
    return tokens._path


def test_a_token_is_known_by_its_secret_and_by_nothing_else(tokens: Tokens) -> None:
    read, write = tokens.add("argocd", Right.READ), tokens.add("ada", Right.WRITE)
    assert len(read) >= 43
    assert read != write
    assert [(token.name, token.right) for token in tokens.all()] == [
        ("argocd", Right.READ),
        ("ada", Right.WRITE),
    ]
    held = tokens.holder(write)
    assert held
    assert held.name == "ada"
    for wrong in (
        "",
        write[:-1],
        write + "x",
        write.upper(),
        "ada",
        held.sha256,
        "ü",
        "\udc80",
        "x" * 10_000,
    ):
        assert tokens.holder(wrong) is None


def test_only_the_hash_is_kept_and_only_for_the_owner(tokens: Tokens) -> None:
    secret = tokens.add("ada", Right.WRITE)
    text = file(tokens).read_text()
    assert secret not in text
    assert re.search(r'"sha256": "[0-9a-f]{64}"', text)
    assert stat.S_IMODE(file(tokens).stat().st_mode) == 0o600


def test_a_revoked_one_is_worth_nothing_and_its_name_is_free(tokens: Tokens) -> None:
    first, other = tokens.add("ada", Right.WRITE), tokens.add("bob", Right.READ)
    tokens.revoke("ada")
    assert tokens.holder(first) is None
    assert tokens.holder(other)
    assert tokens.add("ada", Right.READ) != first
    assert tokens.holder(first) is None


def test_a_name_that_is_taken_or_unknown_is_told(tokens: Tokens) -> None:
    with pytest.raises(RepositoryError, match="no token 'ada'; existing tokens: none"):
        tokens.revoke("ada")
    tokens.add("ada", Right.WRITE)
    with pytest.raises(RepositoryError, match="token ada already exists; revoke it, or use another name"):
        tokens.add("ada", Right.READ)
    with pytest.raises(RepositoryError, match="no token 'bob'; existing tokens: ada"):
        tokens.revoke("bob")


@pytest.mark.parametrize("name", ["", "Ada", "a b", "a_b", "a\n", "../a", "ü", "a" * 64])
def test_what_is_no_name_is_refused(tokens: Tokens, name: str) -> None:
    with pytest.raises(UsageError, match="is not a token name"):
        tokens.add(name, Right.READ)
    assert not file(tokens).exists()


def test_who_changes_at_the_same_time_loses_nothing(tokens: Tokens) -> None:
    names = [f"t{number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda name: Tokens(file(tokens).parent).add(name, Right.READ), names)
        secrets = dict(zip(names, found, strict=True))
    assert {token.name for token in tokens.all()} == set(names)
    for name, secret in secrets.items():
        held = tokens.holder(secret)
        assert held
        assert held.name == name


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b'{"tokens": 1}',
        b'{"tokens": [{}]}',
        b'{"tokens": [], "more": 1}',
        b'{"tokens": [{"name": "a", "right": "admin", "created": "2026-01-01T00:00:00Z", "sha256": "00"}]}',
        b"\xff\xfe",
    ],
)
def test_a_damaged_file_refuses_everybody_and_is_left_alone(tokens: Tokens, text: bytes) -> None:
    secret = tokens.add("ada", Right.WRITE)
    file(tokens).write_bytes(text)
    for call in (
        tokens.all,
        lambda: tokens.holder(secret),
        lambda: tokens.add("bob", Right.READ),
        lambda: tokens.revoke("ada"),
    ):
        with pytest.raises(
            RepositoryError, match=r"tokens\.json: is damaged: .*; restore it from a backup"
        ) as caught:
            call()
        assert str(caught.value).isprintable()
    assert file(tokens).read_bytes() == text


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: owners")
def test_what_root_makes_is_the_owners() -> None:
    with directory_for_nobody() as place:
        os.chown(place, NOBODY, NOBODY)
        secret = Tokens(place / "git").add("ada", Right.READ)
        with without_root():
            assert Tokens(place / "git").holder(secret)
            Tokens(place / "git").revoke("ada")


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    """Root would give the service's user whatever it leads to."""
    other = tmp_path / "other"
    (tmp_path / "git").mkdir()
    (tmp_path / "git/tokens.lock").symlink_to(other)
    with pytest.raises(RepositoryError, match=r"tokens\.lock: cannot be written"):
        Tokens(tmp_path / "git").add("ada", Right.READ)
    assert not other.exists()


def test_the_daemons_own_tokens_are_those_that_it_names_and_nobody_elses(tokens: Tokens) -> None:
    persons = tokens.add("argocd-arda", Right.READ)
    tokens.keep_own({"argocd/arda": "one", "argocd/valinor": "two"})
    before = {token.name: token for token in tokens.all()}
    tokens.keep_own({"argocd/arda": "three", "argocd/valinor": None, "argocd/new": None})
    assert [token.name for token in tokens.all()] == ["argocd-arda", "argocd/arda", "argocd/valinor"]
    held = tokens.holder("three")
    assert held
    assert (held.name, held.right) == ("argocd/arda", Right.READ)
    assert tokens.holder("one") is None
    assert tokens.holder("two") == before["argocd/valinor"], "what cannot be told now stays"
    written = file(tokens).stat().st_mtime_ns
    tokens.keep_own({"argocd/arda": "three", "argocd/valinor": "two"})
    assert file(tokens).stat().st_mtime_ns == written, "the same ones are not written again"
    tokens.keep_own({})
    assert [token.name for token in tokens.all()] == ["argocd-arda"]
    assert tokens.holder(persons)


def test_a_person_cannot_make_one_of_the_daemons_own(tokens: Tokens) -> None:
    with pytest.raises(UsageError):
        tokens.add("argocd/arda", Right.READ)
