"""An administrator of a k3s cluster has the certificate that k3s asks for, as OpenSSL and kubectl's file see it."""

from datetime import timedelta
from pathlib import Path

import pytest
from support.secrets_of import NOW, k3s_bundle_of, seeded
from support.tls import openssl, run

from iluvatar_pxe.errors import BundleError
from iluvatar_pxe.layers.ainur.credentials import administrator_credentials

BUNDLE = k3s_bundle_of("a")
DAY = timedelta(days=1)
AT = ("-attime", str(int(NOW.timestamp())))


def test_openssl_verifies_the_certificate_by_the_ca_of_clients_and_not_by_that_of_servers(
    tmp_path: Path,
) -> None:
    found = administrator_credentials(BUNDLE, DAY, NOW, seeded("client"))
    assert BUNDLE.root
    for name, text in (
        ("crt", found.crt),
        ("key", found.key),
        ("clients", BUNDLE.client.crt),
        ("servers", BUNDLE.server.crt),
    ):
        (tmp_path / name).write_text(text)
    command = ("verify", "-purpose", "sslclient", *AT, "-no-CApath")
    assert openssl(*command, "-CAfile", f"{tmp_path}/clients", f"{tmp_path}/crt").endswith(": OK\n")
    assert run("openssl", *command, "-CAfile", f"{tmp_path}/servers", f"{tmp_path}/crt").returncode != 0
    public = openssl("pkey", "-in", f"{tmp_path}/key", "-pubout")
    assert openssl("x509", "-in", f"{tmp_path}/crt", "-noout", "-pubkey") == public
    text = openssl("x509", "-in", f"{tmp_path}/crt", "-noout", "-text")
    for part in (
        "Subject: O = system:masters, CN = admin\n",
        "Not After : Dec  2 12:00:00 2026 GMT\n",
        "X509v3 Key Usage: critical\n                Digital Signature, Key Encipherment\n",
        "X509v3 Extended Key Usage: \n                TLS Web Client Authentication\n",
    ):
        assert part in text
    assert "CA:TRUE" not in text


def test_the_certificate_is_followed_by_those_of_its_ca_and_servers_are_trusted_by_theirs() -> None:
    found = administrator_credentials(BUNDLE, DAY, NOW, seeded("client"))
    assert found.crt.endswith("-----END CERTIFICATE-----\n" + BUNDLE.client.crt)
    assert found.crt.count("BEGIN") == 3
    assert found.ca == BUNDLE.server.crt
    assert "KEY" not in repr(found)


def test_a_ca_that_has_ended_signs_nothing() -> None:
    with pytest.raises(BundleError, match=r"CA ended at 2037-01-17 .* with k3s certificate rotate-ca$"):
        administrator_credentials(BUNDLE, DAY, NOW + 3700 * DAY + DAY, seeded("client"))
