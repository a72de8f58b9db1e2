"""Who answers is known before anything is asked, and nobody else is told who the daemon is."""

import asyncio
import socket
import ssl
from base64 import b64encode
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from support.ports import free_port
from support.secrets_of import seeded
from support.small_talos import (
    CA,
    FOREIGN,
    HERE,
    INSTALLED,
    LIFE,
    MAINTENANCE,
    NOW,
    OTHER_CA,
    Scripted,
    answering,
    credentials,
    leaf,
    server_context,
    small_talos,
)

from iluvatar_pxe.errors import (
    TalosAnswerError,
    TalosError,
    TalosForeignError,
    TalosIdentityError,
    TalosMaintenanceError,
    TalosUnreachableError,
)
from iluvatar_pxe.layers.arda.api import channel, tls
from iluvatar_pxe.layers.arda.api.client import TalosApi
from iluvatar_pxe.layers.arda.api.protos import machine_pb2
from iluvatar_pxe.layers.arda.api.protos.machine_grpc import MachineServiceBase
from iluvatar_pxe.layers.arda.certificates import new_authority
from iluvatar_pxe.layers.arda.keys import ed25519_key
from iluvatar_pxe.layers.certificates import Validity
from iluvatar_pxe.layers.credentials import Credentials

VERSION = Scripted(
    MachineServiceBase, Version=answering(machine_pb2.VersionResponse(messages=[machine_pb2.Version()]))
)
EXPIRED = Validity(NOW - timedelta(days=2), NOW - timedelta(days=1))
FUTURE = Validity(NOW + timedelta(days=1), NOW + timedelta(days=2))


async def asked(port: int, own: Credentials | None) -> None:
    async with TalosApi.connect(HERE, own, name="cp-1", port=port) as api:
        await api.version()


async def test_a_machine_of_the_cluster_is_asked() -> None:
    async with small_talos(VERSION) as port:
        await asked(port, credentials())


async def test_maintenance_mode_needs_no_credentials() -> None:
    async with small_talos(VERSION, context=MAINTENANCE) as port:
        assert await tls.is_maintenance(HERE, port=port)
        await asked(port, None)


@pytest.mark.parametrize(
    ("context", "own", "kind", "words"),
    [
        (
            FOREIGN,
            credentials(),
            TalosForeignError,
            "not of this cluster's CA: Talos of another cluster .* reinstall",
        ),
        (
            MAINTENANCE,
            credentials(),
            TalosMaintenanceError,
            "waits in maintenance mode; give it its configuration",
        ),
        (INSTALLED, None, TalosIdentityError, "is not in maintenance mode; ask it with"),
        (FOREIGN, None, TalosIdentityError, "is not in maintenance mode; ask it with"),
        (
            server_context(leaf(CA, address="10.9.9.9"), CA),
            credentials(),
            TalosIdentityError,
            "not accepted: IP address mismatch.*check its address",
        ),
        (
            server_context(leaf(CA, validity=EXPIRED), CA),
            credentials(),
            TalosIdentityError,
            "certificate has expired; compare its clock",
        ),
        (
            server_context(leaf(CA, validity=FUTURE), CA),
            credentials(),
            TalosIdentityError,
            "not yet valid; compare its clock",
        ),
    ],
    ids=["foreign", "maintenance", "installed", "not-maintenance", "address", "expired", "future"],
)
async def test_who_is_not_the_machine_is_named_with_the_remedy(
    context: ssl.SSLContext, own: Credentials | None, kind: type[TalosError], words: str
) -> None:
    async with small_talos(VERSION, context=context) as port:
        with pytest.raises(TalosError, match=words) as raised:
            await asked(port, own)
    assert type(raised.value) is kind
    assert str(raised.value).startswith("cp-1 (127.0.0.1): ")


async def test_a_machine_that_does_not_trust_the_daemon_says_so_after_the_handshake() -> None:
    def refuse(listener: socket.socket) -> None:
        connection, _ = listener.accept()  # asyncio's servers would end it without the alert
        with INSTALLED.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as tls:
            with pytest.raises(ssl.SSLError):
                tls.do_handshake()
            tls.shutdown(socket.SHUT_WR)
            while socket.socket.recv(tls, 1 << 16):  # what is left unread would end it without the alert, too
                pass

    with socket.create_server((HERE, 0)) as listener:
        refused = asyncio.create_task(asyncio.to_thread(refuse, listener))
        with pytest.raises(
            TalosIdentityError, match=r"does not accept the daemon's certificate \(.*alert.*\); compare"
        ):
            await asked(listener.getsockname()[1], credentials(signed_by=OTHER_CA))
        await refused


async def test_an_identity_says_whose_machine_it_is() -> None:
    async with small_talos(VERSION) as port:
        identity = await tls.identify(HERE, port=port)
    assert (identity.common_name, identity.is_maintenance) == ("cp-1", False)
    assert identity.is_of(CA.crt)
    assert not identity.is_of(OTHER_CA.crt)
    assert not identity.is_of("no certificate")


VERSION_OF, ED25519_OID = bytes.fromhex("a003020102"), bytes.fromhex("06032b6570")


@pytest.mark.parametrize(
    ("old", "new"), [(VERSION_OF, VERSION_OF[:-1] + b"\5"), (ED25519_OID, ED25519_OID[:-1] + b"\x7f")]
)
def test_a_certificate_that_cannot_be_read_is_an_answer_of_no_talos(old: bytes, new: bytes) -> None:
    shown = ssl.PEM_cert_to_DER_cert(CA.crt)
    assert old in shown
    odd = shown.replace(old, new)
    with pytest.raises(TalosAnswerError, match=r"^cp-1: shows a certificate that cannot be read; "):
        tls.identity_of(odd, "cp-1")
    assert not tls.Identity("cp-1", "", odd).is_of(CA.crt)
    assert not tls.Identity("cp-1", "", shown).is_of(ssl.DER_cert_to_PEM_cert(odd))


async def test_a_ca_of_the_same_name_is_another_one() -> None:
    twin = new_authority(ed25519_key(seeded("twin")), "talos", LIFE, seeded("twin"))
    async with small_talos(VERSION) as port:
        assert not (await tls.identify(HERE, port=port)).is_of(twin.crt)


async def test_the_fingerprint_is_what_openssl_makes_of_the_key(tmp_path: Path) -> None:
    async with small_talos(VERSION, context=MAINTENANCE) as port:
        identity = await tls.identify(HERE, port=port)
    (tmp_path / "der").write_bytes(identity.certificate)
    command = f"openssl x509 -inform der -in {tmp_path}/der -noout -pubkey | openssl pkey -pubin -outform der"
    run = await asyncio.create_subprocess_exec("sh", "-c", command, stdout=asyncio.subprocess.PIPE)
    key, _ = await run.communicate()
    assert identity.fingerprint == b64encode(sha256(key).digest()).decode()


def test_the_key_is_on_no_disk_and_no_descriptor_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    load = ssl.SSLContext.load_cert_chain

    def note(self: ssl.SSLContext, file: str) -> None:
        seen.append(str(Path(file).readlink()))
        load(self, file)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", note)
    before = list(Path("/proc/self/fd").iterdir())
    tls.of_cluster(credentials(), "cp-1")
    assert seen == ["/memfd:credentials (deleted)"]
    assert len(list(Path("/proc/self/fd").iterdir())) == len(before)


@pytest.mark.parametrize(
    "broken", [Credentials("", "", ""), Credentials(CA.crt, CA.crt, OTHER_CA.key), Credentials("x", "y", "z")]
)
async def test_credentials_that_cannot_be_used_are_refused(broken: Credentials) -> None:
    with pytest.raises(
        TalosIdentityError, match="the daemon's own certificate for Talos cannot be used"
    ) as raised:
        await asked(1, broken)
    assert "PRIVATE" not in str(raised.value)


async def test_a_machine_that_is_off_is_named() -> None:
    with pytest.raises(
        TalosUnreachableError, match=r"^cp-1 .*: Talos cannot be reached: Connection refused; is it on"
    ):
        await asked(free_port(), credentials())
    with pytest.raises(TalosUnreachableError, match="refused"):
        await tls.identify(HERE, port=free_port())


async def test_a_port_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "CONNECT_SECONDS", 0.1)
    monkeypatch.setattr(tls, "CONNECT_SECONDS", 0.1)
    with socket.create_server((HERE, 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(TalosUnreachableError, match="does not answer within"):
            await asked(port, credentials())
        with pytest.raises(TalosUnreachableError, match="does not answer within"):
            await tls.identify(HERE, port=port)


async def test_a_port_without_tls_is_no_talos() -> None:
    async with small_talos(VERSION, context=None) as port:
        with pytest.raises(TalosUnreachableError, match="no TLS"):
            await asked(port, credentials())


async def test_a_machine_that_renews_its_certificate_is_asked_again() -> None:
    """A new leaf of the same CA: the connection is lost, and the next call makes another."""
    port = free_port()
    async with TalosApi.connect(HERE, credentials(), port=port) as api:
        for address in (HERE, HERE):
            async with small_talos(VERSION, context=server_context(leaf(CA, address=address), CA), port=port):
                try:
                    await api.version()
                except TalosUnreachableError:
                    await api.version()
