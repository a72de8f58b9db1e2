"""The TLS port with real clients: who trusts the CA gets everything, and firmware keeps its plain port."""

import random
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from cryptography import x509
from structlog.testing import capture_logs
from support.daemon import Daemon
from support.interfaces import read_interface
from support.tls import Given, fingerprint_of, openssl, run
from support.waiting import PATIENCE, wait_until
from support.web import Web, response_of, web

from iluvatar_pxe import ratelimit
from iluvatar_pxe.fleet.models import Fleet, FleetFile
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.servers.http import tls
from iluvatar_pxe.servers.http.connections import Limits

LARGE = random.Random(5).randbytes(8 << 20)
ASK = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
ASK_LARGE = b"GET /assets/large HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
MAC = "52:54:00:77:00:03"
CROWD = "127.0.0.2"
CURL = ("curl", "--silent", "--show-error", "--fail", "--max-time", "30")


@pytest.fixture(autouse=True)
def nothing_logged_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratelimit._complaints, "_limiters", {})


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("tls")) as running:
        yield running


@pytest.fixture(scope="module")
def authority(daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a client has fetched from the plain port."""
    return fetch_authority(daemon, tmp_path_factory.mktemp("client"))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Web]:
    with web(tmp_path) as running:
        running.put("large", LARGE)
        yield running


def fetch_authority(daemon: Daemon, directory: Path) -> Path:
    path = directory / "ca.crt"
    assert run(*CURL, "-o", str(path), f"http://127.0.0.1:{daemon.http_port}/ca.crt").returncode == 0
    return path


def authority_of(served: Web) -> str:
    authority = served.certificates.authority
    assert authority
    return authority.document.decode()


def connect(served: Web, source: str = "127.0.0.1", **options: int) -> ssl.SSLSocket:
    """Return a connection whose client trusts the CA."""
    context = ssl.create_default_context(cadata=authority_of(served))
    sock = served.connect(source, **options, tls=True)
    try:
        return context.wrap_socket(sock, server_hostname="127.0.0.1")
    except BaseException:
        sock.close()
        raise


def the_rest(sock: socket.socket) -> bytes:
    octets = bytearray()
    with suppress(ConnectionError, ssl.SSLError):
        while chunk := sock.recv(1 << 20):
            octets += chunk
    return bytes(octets)


def is_served(sock: socket.socket) -> bool:
    try:
        sock.sendall(ASK)
        return sock.recv(1000).endswith(b"ok\n")
    except (ConnectionError, ssl.SSLError):
        return False


def is_served_now(served: Web, client: str = "127.0.0.1") -> bool:
    try:
        with connect(served, client) as sock:
            return is_served(sock)
    except (ConnectionError, ssl.SSLError):
        return False


def shown_by(served: Web) -> x509.Certificate:
    """Return the certificate that a new client is shown."""
    with connect(served) as sock:
        octets = sock.getpeercert(binary_form=True)
    assert octets
    return x509.load_der_x509_certificate(octets)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", socket.gethostname(), "git.lab.home.arpa"])
def test_curl_with_the_ca_is_served_by_every_name(daemon: Daemon, authority: Path, name: str) -> None:
    resolve = ("--resolve", f"{name}:{daemon.tls_port}:127.0.0.1")
    url = f"https://{name}:{daemon.tls_port}/healthz"
    assert run(*CURL, "--cacert", str(authority), *resolve, url).stdout == "ok\n"


def test_curl_trusts_nobody_else(daemon: Daemon, authority: Path) -> None:
    url = f"https://127.0.0.1:{daemon.tls_port}/healthz"
    assert run(*CURL, url).returncode == 60
    resolve = ("--resolve", f"hostile.example:{daemon.tls_port}:127.0.0.1")
    hostile = f"https://hostile.example:{daemon.tls_port}/healthz"
    assert run(*CURL, "--cacert", str(authority), *resolve, hostile).returncode == 60


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_verifies_the_server(daemon: Daemon, authority: Path, version: str) -> None:
    server = ("-connect", f"127.0.0.1:{daemon.tls_port}", version)
    client = ("-CAfile", str(authority), "-verify_return_error", "-x509_strict", "-verify_ip", "127.0.0.1")
    assert "Verify return code: 0 (ok)" in openssl("s_client", *server, *client)


def test_old_versions_of_tls_are_refused(daemon: Daemon) -> None:
    server = ("-connect", f"127.0.0.1:{daemon.tls_port}", "-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0")
    ended = run("openssl", "s_client", *server)
    assert ended.returncode == 1
    assert "Cipher is (NONE)" in ended.stdout
    assert "no protocols available" not in ended.stderr, "it is not the client that refuses"


def test_the_fingerprint_is_the_same_everywhere(daemon: Daemon, authority: Path) -> None:
    expected = fingerprint_of(authority)
    assert f"# SHA-256 {expected}\n" in authority.read_text()
    assert daemon.wait_for_log("tls")["fingerprint"] == expected
    assert fingerprint_of(daemon.state / "tls" / "ca.crt") == expected


def test_the_ca_outlives_the_daemon(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        before = fetch_authority(daemon, tmp_path).read_bytes()
        assert daemon.stop() == 0
    with Daemon(tmp_path) as daemon:
        assert fetch_authority(daemon, tmp_path).read_bytes() == before
        url = f"https://localhost:{daemon.tls_port}/healthz"
        assert run(*CURL, "--cacert", str(tmp_path / "ca.crt"), url).stdout == "ok\n"
        assert daemon.stop() == 0


def test_half_a_ca_is_set_aside_and_a_new_one_is_made(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    (daemon.state / "tls").mkdir(parents=True)
    (daemon.state / "tls" / "ca.crt").write_text("half")
    with daemon:
        lost = daemon.wait_for_log("tls.lost")
        assert (Path(lost["kept"]) / "ca.crt").read_text() == "half"
        assert fingerprint_of(fetch_authority(daemon, tmp_path)) == daemon.wait_for_log("tls")["fingerprint"]
        assert daemon.stop() == 0


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    with socket.create_server(("127.0.0.1", daemon.tls_port)):
        daemon.start()
        assert daemon.ends() == 1
    line = daemon.errors[-1]
    assert f"cannot listen on TCP 127.0.0.1:{daemon.tls_port}: " in line
    assert line.endswith("free it or set another [http] tls_port")


def test_a_boot_never_leaves_the_plain_port(daemon: Daemon, authority: Path) -> None:
    first = f"http://127.0.0.1:{daemon.http_port}/"
    for path in ("/boot.ipxe", "/autoexec.ipxe", f"/ipxe?mac={MAC}"):
        status, plain = daemon.get(path)
        url = f"https://127.0.0.1:{daemon.tls_port}{path}"
        assert run(*CURL, "--cacert", str(authority), url).stdout.encode() == plain
        assert status == 200
        assert b"https:" not in plain
    assert first.encode() in daemon.get("/boot.ipxe")[1]


def test_the_daemon_stops_although_clients_hold_connections(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon, ExitStack() as stack:
        context = ssl.create_default_context(cafile=fetch_authority(daemon, tmp_path))
        address = ("127.0.0.1", daemon.tls_port)
        for _ in range(3):
            stack.enter_context(socket.create_connection(address, PATIENCE))
            sock = stack.enter_context(socket.create_connection(address, PATIENCE))
            assert is_served(stack.enter_context(context.wrap_socket(sock, server_hostname="localhost")))
        assert daemon.stop() == 0
        assert daemon.log[-1]["event"] == "stopped", "nothing is said of connections that were left open"


def test_a_large_file_arrives_octet_for_octet(served: Web, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text(authority_of(served))
    command = (*CURL, "--cacert", str(tmp_path / "ca.crt"), "-o", str(tmp_path / "file"))
    url = f"https://localhost:{served.tls_port}/assets/large"
    assert run(*command, url).returncode == 0
    assert (tmp_path / "file").read_bytes() == LARGE
    assert run(*command, "-r", "1000000-1999999", url).returncode == 0
    assert (tmp_path / "file").read_bytes() == LARGE[1_000_000:2_000_000]


def test_only_allowed_networks_are_served(tmp_path: Path) -> None:
    with web(tmp_path, allow=(IPv4Network("10.0.0.0/8"),)) as served, connect(served) as sock:
        sock.sendall(ASK_LARGE)
        assert response_of(the_rest(sock)).text == (
            "403: 127.0.0.1 is not in [http] allow; if it may ask, add its network there\n"
        )


def test_a_faulty_request_is_refused_in_one_line(served: Web) -> None:
    with connect(served) as sock:
        sock.sendall(b"GET /\0 HTTP/9\r\n\r\n")
        response = response_of(the_rest(sock))
    assert response.status == 400
    assert response.is_one_line


@pytest.mark.parametrize("octets", [ASK, b"\0", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00" + bytes(512)])
@pytest.mark.parametrize("hangs_up", [False, True])
def test_nonsense_is_no_failure(served: Web, octets: bytes, *, hangs_up: bool) -> None:
    with served.connect(tls=True) as sock:
        sock.sendall(octets)
        if hangs_up:
            sock.shutdown(socket.SHUT_WR)
            the_rest(sock)
    assert is_served_now(served)
    wait_until(lambda: not served.server._handshakes.connections, "the end of every connection")
    assert not len(served.server._handshakes.pool)


def test_handshakes_that_stall_do_not_stop_others(served: Web) -> None:
    with ExitStack() as stack, capture_logs() as logs:
        pool = [stack.enter_context(served.connect(CROWD, tls=True)) for _ in range(200)]
        wait_until(lambda: logs, "the line of log")
        assert all(is_served_now(served) for _ in range(5))
        assert served.get("/assets/large").body == LARGE
        assert is_served_now(served, CROWD), "a new one makes the oldest end"
        assert all(the_rest(sock) == b"" for sock in pool[: -tls.MOST_OF_NIC])
        assert len(served.server._handshakes.pool) < tls.MOST_OF_NIC
    assert {(line["event"], line["client"]) for line in logs} == {("tls.crowded", CROWD)}


def test_a_handshake_has_to_end_in_time(served: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as hasty:
        hasty.setattr(tls, "HANDSHAKE_SECONDS", 0.05)
        with served.connect(tls=True) as silent, served.connect(tls=True) as slow:
            slow.sendall(b"\x16\x03\x01\x02\x00\x01")
            assert (the_rest(silent), the_rest(slow)) == (b"", b"")
    assert is_served_now(served)


def test_connections_with_tls_count_as_any_other(tmp_path: Path) -> None:
    with web(tmp_path, limits=Limits(each=3)) as served, ExitStack() as stack:
        held: list[socket.socket] = [stack.enter_context(connect(served, CROWD)) for _ in range(2)]
        held.append(stack.enter_context(served.connect(CROWD)))
        assert is_served(held[0])
        assert is_served_now(served, CROWD)
        assert [is_served(sock) for sock in held] == [True, False, True]


@pytest.mark.parametrize("ahead", [0, 2000], ids=["a large file", "many answers"])
def test_a_client_that_stops_reading_is_cut_off(tmp_path: Path, ahead: int) -> None:
    with web(tmp_path, limits=Limits(stall=0.2)) as served:
        served.put("large", LARGE)
        with connect(served, receive_buffer=2048) as sock, capture_logs() as logs:
            sock.settimeout(0.05)
            with suppress(TimeoutError):  # the server reads no more until its answers are read
                sock.sendall(ASK * ahead + ASK_LARGE)
            wait_until(lambda: [line for line in logs if line["event"] == "http.stalled"], "the line of log")
            wait_until(lambda: not served.server._handshakes.connections, "the end of the connection")
            sock.settimeout(PATIENCE)
            assert len(the_rest(sock)) < len(LARGE)
        assert is_served_now(served)


def test_an_idle_client_is_closed(tmp_path: Path) -> None:
    with web(tmp_path, idle=0.05) as served, connect(served) as sock:
        assert is_served(sock)
        assert the_rest(sock) == b""


def test_a_new_certificate_closes_nothing(served: Web) -> None:
    certificates = served.certificates
    before = shown_by(served)
    with connect(served) as open_one, served.connect(tls=True) as knocking:
        later = certificates._clock() + timedelta(days=70)
        certificates._clock = lambda: later
        served.call(certificates.renew(served.server._names()))
        after = shown_by(served)
        assert after.serial_number != before.serial_number
        assert after.issuer == before.issuer
        assert is_served(open_one)
        context = ssl.create_default_context(cadata=authority_of(served))
        with context.wrap_socket(knocking, server_hostname="localhost") as late:
            assert is_served(late), "a handshake ends with the certificate with which it began"


def test_a_new_address_is_in_the_certificate_at_once(served: Web, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text(authority_of(served))
    lo = read_interface("lo")
    other = Interface("lo:1", lo.index, IPv4Address("127.0.7.7"), lo.network)
    url = f"https://127.0.7.7:{served.tls_port}/healthz"
    command = (*CURL, "--cacert", str(tmp_path / "ca.crt"), url)
    assert run(*command).returncode == 7, "nobody listens"
    assert not served.call(served.server.serve([lo, other]))
    assert run(*command).stdout == "ok\n"
    assert not served.call(served.server.serve([lo]))
    assert run(*command).returncode == 7
    assert is_served_now(served)


def test_a_new_domain_is_in_the_certificate_at_the_next_look(served: Web) -> None:
    served.booter.applied.fleet = Fleet(settings=FleetFile(domain="new.home.arpa"))
    served.call(served.certificates.renew(served.server._names()))
    names = shown_by(served).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"git.new.home.arpa", "pxe.new.home.arpa"} <= set(names.get_values_for_type(x509.DNSName))


def test_a_domain_for_which_the_ca_was_not_made_is_told_and_spoils_nothing(served: Web) -> None:
    served.booter.applied.fleet = Fleet(settings=FleetFile(domain="new.example"))
    served.call(served.certificates.renew(served.server._names()))
    problem = served.certificates.problem
    assert problem
    assert problem.startswith("git.new.example, pxe.new.example: not in the certificate, because ")
    assert is_served_now(served)


def test_given_files_are_shown_instead(tmp_path: Path) -> None:
    given = Given.make(tmp_path)
    with Daemon(tmp_path, {"http": given.settings}) as daemon:
        url = f"https://localhost:{daemon.tls_port}/healthz"
        assert run(*CURL, "--cacert", str(given.certificate), url).stdout == "ok\n"
        assert daemon.wait_for_log("tls")["fingerprint"] == fingerprint_of(given.certificate)
        line = (
            b"404: this server has no CA to trust: it uses the certificate of [http] tls_certificate, "
            b"or /readyz says why\n"
        )
        assert daemon.get("/ca.crt") == (404, line)
        assert not (daemon.state / "tls").exists()
        assert daemon.stop() == 0


def test_given_files_that_are_faulty_are_a_problem_and_machines_boot_on(tmp_path: Path) -> None:
    given = Given.make(tmp_path)
    given.key.write_text("nonsense")
    with Daemon(tmp_path, {"http": given.settings}) as daemon:
        status, report = daemon.ready()
        assert status == 503
        assert report["parts"]["tls"].startswith(
            f"{given.key}: holds no private key in PEM; give [http] tls_key "
        )
        assert daemon.get("/boot.ipxe")[0] == 200
        assert daemon.stop() == 0


def test_a_client_that_takes_its_time_gets_the_end_of_an_answer(served: Web) -> None:
    """The server closes after it, with up to half a megabyte of it still in its own buffers."""
    with connect(served, receive_buffer=2048) as sock:
        sock.sendall(ASK_LARGE)
        assert response_of(the_rest(sock)).body == LARGE
