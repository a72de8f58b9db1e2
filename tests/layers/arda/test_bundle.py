"""Talos' secrets bundle is read and written as talosctl does."""

import base64
import re
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.errors import BundleError
from iluvatar_pxe.layers.arda.bundle import LARGEST, Bundle, dump_bundle, load_bundle
from iluvatar_pxe.values import replace

GOLDEN = (Path(__file__).parents[2] / "replies" / "talos" / "secrets.yaml").read_text()
"""The bundle of Talos' own tests."""


def plain(text: str) -> object:
    return yaml.load(text, yaml.BaseLoader)


def test_talos_own_bundle_is_loaded_and_dumped_to_the_same_values_in_the_same_layout() -> None:
    dumped = dump_bundle(load_bundle(GOLDEN))
    assert dumped == GOLDEN.partition("\n")[2], "its first line is a comment"


def test_each_value_of_talos_own_bundle_is_in_its_field() -> None:
    bundle = load_bundle(GOLDEN)
    certs = plain(GOLDEN)["certs"]  # type: ignore[index]
    assert bundle.cluster_id == "0raF93qnkMvF-FZNuvyGozXNdLiT2FOWSlyBaW4PR-w="
    assert bundle.bootstrap_token == "inn7ol.u4ehnti8qyls9ymo"
    assert bundle.trustd_token == "d8cwfa.eyvpi0xwxyarbfid"
    pairs = {
        "etcd": bundle.etcd,
        "k8s": bundle.kubernetes,
        "k8saggregator": bundle.aggregator,
        "os": bundle.os,
    }
    for name, pair in pairs.items():
        assert pair.crt == base64.b64decode(certs[name]["crt"]).decode()
        assert pair.key == base64.b64decode(certs[name]["key"]).decode()
    assert bundle.service_account_key == base64.b64decode(certs["k8sserviceaccount"]["key"]).decode()


@pytest.mark.parametrize(
    "token", ["123456.1234567890123456", "12345e.1234567890123456", "0x1234.1234567890123456"]
)
def test_a_token_of_digits_stays_text(token: str) -> None:
    bundle = replace(load_bundle(GOLDEN), bootstrap_token=token)
    assert load_bundle(dump_bundle(bundle)) == bundle
    unquoted = GOLDEN.replace("inn7ol.u4ehnti8qyls9ymo", token)
    assert load_bundle(unquoted).bootstrap_token == token


def test_no_secret_is_shown_by_accident() -> None:
    bundle = load_bundle(GOLDEN)
    for shown in (repr(bundle), str(bundle), repr(bundle.os), f"{bundle.etcd}"):
        assert len(shown) < 100
        assert "KEY" not in shown


FAULTS = {
    "cluster.secret: is missing": re.compile(r"^    secret: .*\n", re.MULTILINE),
    "certs.os.key: is missing": re.compile(r"^        key: .*\n\Z", re.MULTILINE),
    "trustdinfo.token: is missing": re.compile(r"^trustdinfo:\n.*\n", re.MULTILINE),
}


@pytest.mark.parametrize("error", FAULTS)
def test_what_is_missing_is_named(error: str) -> None:
    with pytest.raises(BundleError, match=re.escape(error)):
        load_bundle(FAULTS[error].sub("", GOLDEN))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "is no mapping"),
        ("- a", "is no mapping"),
        ("a: [", "a: must be text"),
        ("a: b: c", "is not valid YAML"),
        ("\x00", "is not valid YAML"),
        ("cluster: {id: [x]}", "cluster.id: must be text"),
        ("cluster: {id: {a: {b: x}}}", "cluster.id.a: must be text"),
        ("cluster: *one", "cluster: must be text"),
        ("{? [a] : b}", "has a key that is no text"),
        (f"{GOLDEN}---\na: b\n", "holds a second document"),
        (f"{GOLDEN}cluster: {{id: other}}\n", "cluster.id: is given twice"),
        (f"{GOLDEN}    admin: {{crt: x}}\n", "certs.admin.crt: is not known"),
        (GOLDEN.replace("secretboxe", "aescbce"), "secrets.aescbcencryptionsecret: is of Talos before 1.3"),
        (GOLDEN.replace("crt: LS0", "crt: !S0", 1), "certs.etcd.crt: is missing"),
        (GOLDEN.replace("crt: LS0", "crt: /S0", 1), "certs.etcd.crt: is not base64 of PEM"),
        ("[" * LARGEST, "is not valid YAML"),
        ("a: " * LARGEST, "has more than"),
    ],
)
def test_another_text_is_refused_in_one_line(text: str, error: str) -> None:
    with pytest.raises(BundleError, match=re.escape(error)) as refused:
        load_bundle(text)
    assert "\n" not in str(refused.value)
    assert ";" in str(refused.value)


def test_a_refusal_shows_no_secret() -> None:
    secret = "pofHbABZq7VXuObsdLdy"
    for broken in (GOLDEN.replace("secret: ", "secret: ["), GOLDEN.replace("    secret", "\tsecret")):
        with pytest.raises(BundleError) as refused:
            load_bundle(broken)
        assert secret not in str(refused.value)


@given(st.text() | st.text().map(lambda junk: GOLDEN.replace("id:", junk)))
def test_any_text_is_loaded_or_refused(text: str) -> None:
    with suppress(BundleError):
        assert isinstance(load_bundle(text), Bundle)
