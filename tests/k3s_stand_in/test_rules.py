"""The stand-in's own rules are those of k3s' documentation and source: files in their order, tokens, and the CA's hash."""

import hashlib
from pathlib import Path

import pytest
from support.k3s.by_hand import ca_files
from support.k3s.configuration import Configuration
from support.k3s.fatal import FatalError
from support.k3s.tokens import Token, hash_of
from support.tls import openssl

HASH = "a" * 64


def lay(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def configuration(root: Path, main: str, *, flags: str = "", **drops: str) -> Configuration:
    lay(root / "etc/systemd/system/k3s.service", f"[Service]\nExecStart=/usr/local/bin/k3s server {flags}\n")
    lay(root / "etc/rancher/k3s/config.yaml", main)
    for name, text in drops.items():
        lay(root / f"etc/rancher/k3s/config.yaml.d/{name}.yaml", text)
    return Configuration.read(root)


def test_the_last_value_wins_and_a_plus_appends(tmp_path: Path) -> None:
    main = "disable: [traefik]\ntls-san: [a]\nnode-name: one\nunheard: 1\n"
    read = configuration(
        tmp_path, main, a="disable+: [servicelb]\ntls-san: b", b="tls-san+: [c]\nnode-name: two"
    )
    assert read.items("disable") == ["traefik", "servicelb"]
    assert read.items("tls-san") == ["b", "c"]
    assert read.node_name == "two"
    assert read.skipped == ("unheard",)
    assert read.critical["disable-servicelb"] is True


def test_secrets_are_read_from_their_files(tmp_path: Path) -> None:
    read = configuration(tmp_path, "token-file: /etc/t\nagent-token-file: /etc/missing\ntoken: no")
    lay(tmp_path / "etc/t", "secret\n")
    assert read.token == "secret"
    with pytest.raises(FatalError, match="open /etc/missing"):
        assert read.agent_token


@pytest.mark.parametrize(
    ("main", "words"),
    [("[a]", "cannot unmarshal"), ("a: [", "config.yaml"), ("cluster-init: maybe", "parse error")],
)
def test_a_file_that_k3s_cannot_read_ends_it(tmp_path: Path, main: str, words: str) -> None:
    with pytest.raises(FatalError, match=words):
        configuration(tmp_path, main).flag("cluster-init")


def test_flags_on_the_command_line_are_not_for_the_stand_in(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="no flags"):
        configuration(tmp_path, "", flags="--debug")


@pytest.mark.parametrize(
    ("text", "token"),
    [
        (f"K10{HASH}::server:a:b", Token(HASH, "server", "a:b")),
        ("a::b", Token("", "", "a::b")),
        ("K10node:a", Token("", "node", "a")),
    ],
)
def test_tokens(text: str, token: Token) -> None:
    assert Token.parse(text) == token


@pytest.mark.parametrize("text", ["", "K10abc::server:a", f"K10{HASH}::server:", f"K10{HASH}::a"])
def test_what_is_no_token(text: str) -> None:
    with pytest.raises(FatalError):
        Token.parse(text)


def test_of_a_chain_the_root_is_hashed_and_of_one_certificate_the_file(tmp_path: Path) -> None:
    chain = ca_files("ainur")["server-ca.crt"]
    leaf, root, _ = (
        f"{part}-----END CERTIFICATE-----\n" for part in chain.decode().split("-----END CERTIFICATE-----\n")
    )
    (tmp_path / "root").write_text(root)
    openssl("x509", "-in", str(tmp_path / "root"), "-outform", "DER", "-out", str(tmp_path / "der"))
    assert hash_of(chain) == hashlib.sha256((tmp_path / "der").read_bytes()).hexdigest()
    assert hash_of(leaf.encode()) == hashlib.sha256(leaf.encode()).hexdigest()
    unrelated = leaf.encode() + b"".join(
        part + b"-----END CERTIFICATE-----\n"
        for part in ca_files("other")["server-ca.crt"].split(b"-----END CERTIFICATE-----\n")[1:2]
    )
    assert hash_of(unrelated) == hashlib.sha256(unrelated).hexdigest()
