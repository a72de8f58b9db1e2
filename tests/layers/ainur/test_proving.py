"""What a server is taken for by what it shows: its certificate, k3s' own readiness, and Kubernetes' Nodes."""

import ssl
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from support.ainur import BEGIN, bundle_of
from support.ports import free_port
from support.secrets_of import k3s_bundle_of

from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.ainur.credentials import administrator_credentials
from iluvatar_pxe.layers.ainur.founding import Found, Serves, Starts
from iluvatar_pxe.layers.ainur.keys import load_chain, load_key
from iluvatar_pxe.layers.ainur.proving import Said, ask
from iluvatar_pxe.layers.founding import Foreign, Unproved
from iluvatar_pxe.layers.keys import dump_key, p256_key

HERE = "127.0.0.1"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def leaf(bundle: K3sBundle, address: str = HERE, begin: timedelta = -DAY, end: timedelta = DAY) -> str:
    """Return key and certificate of a server, signed by a cluster's CA, with its chain as k3s serves it."""
    key, issuer = p256_key(Random(1).randbytes), load_chain(bundle.server.crt)[0]
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "k3s")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW + begin)
        .not_valid_after(NOW + end)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .sign(load_key(bundle.server.key), hashes.SHA256())
    )
    return dump_key(key) + made.public_bytes(Encoding.PEM).decode() + bundle.server.crt


def node(name: str, address: str, *, leads: bool = True, ready: bool = True) -> dict[str, Any]:
    labels = {"node-role.kubernetes.io/control-plane": "true"} if leads else {}
    condition = {"type": "Ready", "status": "True" if ready else "Unknown"}
    status = {"addresses": [{"type": "InternalIP", "address": address}], "conditions": [condition]}
    return {"metadata": {"name": name, "labels": labels}, "status": status}


OTHERS = [node("ainur-02", "10.0.0.2", ready=False), node("ainur-04", "10.0.0.4", leads=False)]


@dataclass
class Shown:
    """What a stand-in for a server shows."""

    leaf: str = field(default_factory=lambda: leaf(bundle_of()))
    ready: int = 200
    kubernetes: int = 200
    nodes: list[dict[str, Any]] = field(default_factory=lambda: [node("ainur-01", HERE), *OTHERS])
    uid: str = "uid-1"
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if request.path == "/v1-k3s/readyz":
            kind, _, login = request.headers["Authorization"].partition(" ")
            assert (kind, b64decode(login).decode()) == ("Basic", f"node:{bundle_of().agent_token}")
            return web.Response(status=self.ready)
        if self.kubernetes != 200:
            return web.Response(status=self.kubernetes)
        if request.path == "/api/v1/nodes":
            return web.json_response({"items": self.nodes})
        return web.json_response({"metadata": {"uid": self.uid}})


@asynccontextmanager
async def serving(shown: Shown, directory: Path) -> AsyncIterator[int]:
    """Serve it, and yield the port."""
    (directory / "leaf").write_text(shown.leaf)
    context, port = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), free_port()
    context.load_cert_chain(directory / "leaf")
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", shown.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, HERE, port, ssl_context=context).start()
    yield port
    await runner.cleanup()


async def said(address: IPv4Address | None, port: int) -> Said:
    credentials = administrator_credentials(bundle_of(), DAY, NOW, Random(2).randbytes)
    return await ask("ainur-01", address, bundle_of(), credentials, port=port)


async def test_a_server_that_runs_tells_its_cluster_and_its_nodes(tmp_path: Path) -> None:
    async with serving(Shown(), tmp_path) as port:
        found = await said(IPv4Address(HERE), port)
    ready = frozenset({"ainur-01", "ainur-04"})
    assert found.found == Serves("uid-1", frozenset({"ainur-01", "ainur-02"}), ready)
    assert [one.name for one in found.nodes] == ["ainur-01", "ainur-02", "ainur-04"]


REINSTALL = "if it is to join this one, run: iluvatar-pxe machines reinstall ainur-01 --wipe"
WRONG_CLOCK = "so its clock or this server's is wrong; set them"


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        (Shown(leaf(k3s_bundle_of("other", BEGIN))), Foreign(f"{HERE}: its certificate is not of this cluster's CA; {REINSTALL}")),
        (Shown(ready=401), Foreign(f"{HERE}: refuses this cluster's token for agents; {REINSTALL}")),
        (Shown(ready=403), Foreign(f"{HERE}: refuses this cluster's token for agents; {REINSTALL}")),
        (Shown(ready=503), Starts(f"{HERE}: k3s is not ready yet")),
        (Shown(nodes=OTHERS), Starts(f"{HERE}: Kubernetes has no Node of it yet")),
        (Shown(uid=""), Starts(f"{HERE}: Kubernetes has no Node of it yet")),
        (
            Shown(leaf(bundle_of(), begin=DAY, end=2 * DAY)),
            Unproved(f"{HERE}: its certificate is not valid yet, {WRONG_CLOCK}"),
        ),
        (
            Shown(leaf(bundle_of(), begin=-2 * DAY, end=-DAY)),
            Unproved(f"{HERE}: its certificate has ended, {WRONG_CLOCK}"),
        ),
        (
            Shown(leaf(bundle_of(), "10.9.9.9")),
            Unproved(f"{HERE}: its certificate is for other addresses; restart it, so that it gets another"),
        ),
        (
            Shown(nodes=[node("ainur-02", HERE)]),
            Unproved(
                f"ainur-02 answers at {HERE}, which was ainur-01's address; restart ainur-01, or correct its address in "
                "machines/ainur-01.yaml"
            ),
        ),
    ],
)  # fmt: skip
async def test_what_a_server_shows_otherwise(shown: Shown, found: Found, tmp_path: Path) -> None:
    async with serving(shown, tmp_path) as port:
        assert (await said(IPv4Address(HERE), port)).found == found


async def test_who_is_not_of_the_cluster_is_told_no_token(tmp_path: Path) -> None:
    stranger = Shown(leaf(k3s_bundle_of("other", BEGIN)))
    async with serving(stranger, tmp_path) as port:
        await said(IPv4Address(HERE), port)
    assert stranger.asked == []


async def test_a_kubernetes_that_does_not_answer_is_starting(tmp_path: Path) -> None:
    async with serving(Shown(kubernetes=500), tmp_path) as port:
        found = (await said(IPv4Address(HERE), port)).found
    assert isinstance(found, Starts)
    assert "500" in found.why


async def test_one_that_is_off_or_has_no_address_is_not_proved() -> None:
    assert (await said(IPv4Address(HERE), free_port())).found == Unproved(f"{HERE}: k3s does not answer")
    assert (await said(None, 1)).found == Unproved("no address of it is known")
