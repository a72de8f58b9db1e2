"""Talos' own library takes the secrets that the daemon makes, and signs the same client certificates from them."""

import base64
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.judge import Judge, Refused
from support.secrets_of import bundle_of, seeded
from support.tls import openssl

from iluvatar_pxe.layers.arda.bundle import dump_bundle
from iluvatar_pxe.layers.arda.credentials import ApiRole, talos_credentials
from iluvatar_pxe.layers.arda.talosconfig import merge_talosconfig, talosconfig
from iluvatar_pxe.layers.client_files import dump_client_file, load_client_file

BEGUN = datetime(2026, 11, 29, tzinfo=UTC)
BUNDLE = bundle_of("a", BEGUN)
VARYING = re.compile(r"^.*(([0-9a-f]{2}:)+.*|Not (Before|After).*)$\n", re.MULTILINE)


def shown(certificate: str, file: Path) -> str:
    """Return what OpenSSL says of a certificate, without keys, numbers and times."""
    file.write_bytes(base64.b64decode(certificate))
    return VARYING.sub("", openssl("x509", "-in", str(file), "-noout", "-text"))


def test_it_takes_the_secrets_that_the_daemon_makes(judge: Judge) -> None:
    judge.check_secrets(dump_bundle(BUNDLE))
    with pytest.raises(Refused, match=r"certs\.os"):
        judge.check_secrets(
            dump_bundle(BUNDLE).replace("    os:\n        crt: ", "    os:\n        crt: AAAA")
        )


def test_it_signs_the_same_certificate_for_talosctl(judge: Judge, tmp_path: Path) -> None:
    made = judge.generate(dump_bundle(BUNDLE), "arda", "https://api.arda.lab:6443", "v1.36.3")
    theirs = load_client_file(made["talosconfig"], "")["contexts"]["arda"]
    credentials = talos_credentials(
        BUNDLE, [ApiRole.ADMIN], timedelta(days=1), datetime.now(UTC), seeded("client")
    )
    ours = talosconfig("arda", ["10.0.0.1"], credentials)["contexts"]["arda"]
    assert shown(ours["crt"], tmp_path / "ours") == shown(theirs["crt"], tmp_path / "theirs")
    assert ours["ca"] == theirs["ca"]
    labels = [base64.b64decode(one["key"]).partition(b"\n")[0] for one in (ours, theirs)]
    assert labels[0] == labels[1]


def test_its_own_talosconfig_is_merged_with_ours(judge: Judge) -> None:
    made = judge.generate(dump_bundle(BUNDLE), "theirs", "https://api.theirs.lab:6443", "v1.36.3")
    credentials = talos_credentials(BUNDLE, [ApiRole.ADMIN], timedelta(days=1), BEGUN, seeded("client"))
    ours = dump_client_file(talosconfig("arda", ["10.0.0.1"], credentials))
    merged = load_client_file(merge_talosconfig(made["talosconfig"], ours), "")
    assert set(merged["contexts"]) == {"theirs", "arda"}
    assert merged["contexts"]["theirs"] == load_client_file(made["talosconfig"], "")["contexts"]["theirs"]
