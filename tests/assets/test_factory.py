"""The client of Image Factory, against the stand-in of the tests."""

import json
import shlex
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.factory import EXTENSIONS, OVERLAYS, VERSIONS, SyntheticFactory, canonical

from iluvatar_pxe.assets.factory import Factory
from iluvatar_pxe.catalogue.schematic import EMPTY, Overlay, Schematic, schematic_id
from iluvatar_pxe.errors import FactoryError, FactoryRefusalError

LONGHORN = Schematic(extensions=("siderolabs/iscsi-tools", "siderolabs/util-linux-tools"))
PI = Schematic(overlay=Overlay(image="siderolabs/sbc-raspberrypi", name="rpi_generic", options={"a": 1}))
META = b'customization: {meta: [{key: 10, value: \'{"externalIPs":["1.2.3.4"]}\'}]}\n'


@pytest.fixture
def factory() -> Iterator[SyntheticFactory]:
    with SyntheticFactory() as running:
        yield running


def client(factory: SyntheticFactory, seconds: float = 20.0) -> Factory:
    return Factory([factory.address], seconds)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"", EMPTY),
        (b"customization: {systemExtensions: {officialExtensions: []}}\n", EMPTY),
        (b'{"customization": {"extraKernelArgs": ["noapic", "nolapic"]}}', "9cba8e32753f91a1"),
        (META, "fe866116408a5a13"),
        (
            b"customization: {}\noverlay: {name: rpi_generic, image: siderolabs/sbc-raspberrypi}\n",
            "ee21ef4a5ef8",
        ),
        (b"customization: {secureboot: {includeWellKnownCertificates: true}}\n", "fa8e05f142a8"),
        (b"customization: {bootloader: sd-boot}\n", "9ed5fecdacb3"),
        (b"customization: {diskImage: {sectorSize: 4096}}\n", "92833e9ddd9b"),
    ],
)
def test_the_stand_in_has_the_factorys_ids(sent: bytes, expected: str) -> None:
    assert schematic_id(canonical(sent)).startswith(expected)


@pytest.mark.parametrize(
    "schematic",
    [
        Schematic(),
        LONGHORN,
        Schematic(extensions=LONGHORN.extensions, kernel_args=("console=ttyS0,115200", "ip=::::x:eth0:off:")),
        PI,
    ],
)
def test_a_schematic_is_known_by_the_id_that_was_computed(
    factory: SyntheticFactory, schematic: Schematic
) -> None:
    client(factory).register(schematic)
    assert client(factory).described(schematic.id) == schematic.text
    assert factory.asked == [("POST", "/schematics"), ("GET", f"/schematics/{schematic.id}")]
    assert all(len(one) == 32 for one in factory.request_ids)


def test_what_is_on_offer(factory: SyntheticFactory) -> None:
    asking = client(factory)
    assert asking.versions() == VERSIONS
    assert asking.broken() == {"v1.14.1"}
    offered = asking.offered("v1.13.9")
    assert (offered.extensions, offered.overlays) == (frozenset(EXTENSIONS), frozenset(OVERLAYS))


@pytest.mark.parametrize(
    ("status", "text", "kind", "expected"),
    [
        (
            400,
            "yaml: line 2:\n bad\x1b[31m",
            FactoryRefusalError,
            r"refuses versions: yaml: line 2: bad\x1b[31m;",
        ),
        (401, "", FactoryRefusalError, "wants a login for versions; correct the layer's file"),
        (402, "a licence", FactoryRefusalError, "offers versions only to paying customers: a licence;"),
        (403, "", FactoryRefusalError, "denies versions; "),
        (404, "nothing", FactoryRefusalError, "has no versions: nothing; "),
        (429, "slow down", FactoryError, "has had too many requests: slow down; it is asked again later"),
        (
            500,
            "x" * 500,
            FactoryError,
            f"cannot tell its versions now: HTTP 500: {'x' * 200}; it is asked again",
        ),
        (503, "", FactoryError, "cannot tell its versions now: HTTP 503; it is asked again later (request "),
        (302, "http://127.0.0.1:1/", FactoryError, "has moved to http://127.0.0.1:1/; name that address"),
        (200, "<html>Sign in</html>", FactoryError, "answers with no JSON: it may be the page of a login"),
        (200, "{}", FactoryError, "its versions are no list of them; correct its address"),
        (200, "[1]", FactoryError, "its versions are no list of them; correct its address"),
        (
            200,
            '["' + "v" * (5 << 20),
            FactoryError,
            "cannot be reached: its answer is longer than 4194304 bytes",
        ),
    ],
)
def test_each_answer_that_is_none_is_told_apart_in_one_line(
    factory: SyntheticFactory, status: int, text: str, kind: type[FactoryError], expected: str
) -> None:
    factory.answers["/versions"] = (status, text)
    with pytest.raises(FactoryError) as caught:
        client(factory).versions()
    assert type(caught.value) is kind
    line = str(caught.value)
    assert line.startswith(f"{factory.address}: {expected}")
    assert "\n" not in line


def test_another_schematic_than_the_one_that_was_sent_is_refused(factory: SyntheticFactory) -> None:
    for answer in (
        f'{{"id": "{EMPTY}", "schematic": "customization: {{}}\\n"}}',
        f'{{"id": "{LONGHORN.id}", "schematic": "customization: {{}}\\n"}}',
        "[]",
    ):
        factory.answers["/schematics"] = (201, answer)
        with pytest.raises(
            FactoryRefusalError, match=r"made '.+' of schematic 613e1592.*; make the schematic there"
        ):
            client(factory).register(LONGHORN)


def test_a_mirror_with_files_alone_is_passed_over(factory: SyntheticFactory) -> None:
    with SyntheticFactory(answers={"/": (404, "no such file")}) as mirror:
        asking = Factory([mirror.address, factory.address])
        assert asking.versions() == VERSIONS
        factory.answers["/versions"] = (503, "")
        with pytest.raises(FactoryError, match=f"^{factory.address}: cannot tell its versions now"):
            asking.versions()
        assert mirror.asked == [("GET", "/versions")] * 2


@pytest.mark.parametrize(
    ("status", "text"),
    [(200, "<html>Index of /</html>"), (200, "{}"), (200, "[1]"), (201, '{"id": "x", "schematic": "y"}')],
)
def test_a_mirror_that_answers_something_else_is_passed_over(
    factory: SyntheticFactory, status: int, text: str
) -> None:
    with SyntheticFactory(answers={"/": (status, text)}) as mirror:
        asking = Factory([mirror.address, factory.address])
        assert asking.versions() == VERSIONS
        assert asking.broken() == {"v1.14.1"}
        offered = asking.offered("v1.13.9")
        assert (offered.extensions, offered.overlays) == (frozenset(EXTENSIONS), frozenset(OVERLAYS))
        asking.register(LONGHORN)
        assert asking.described(LONGHORN.id) == LONGHORN.text
        assert mirror.asked == factory.asked, "the mirror first, and each question of both"


def test_a_factory_that_is_not_there_or_says_nothing_is_told(factory: SyntheticFactory) -> None:
    with pytest.raises(
        FactoryError, match=r"^http://127\.0\.0\.1:\d+: cannot be reached: Connection refused; check"
    ):
        Factory(["http://127.0.0.1:1"]).versions()
    factory.delay = 5.0
    with pytest.raises(FactoryError, match=r"cannot be reached: timed out"):
        client(factory, 0.2).versions()


@contextmanager
def dripping() -> Iterator[str]:
    """Answer one byte every tenth of a second, for ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n[")
                try:
                    while True:
                        connection.sendall(b" ")
                        time.sleep(0.1)
                except OSError:
                    return

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_an_answer_that_drips_for_ever_is_given_up() -> None:
    with dripping() as address, pytest.raises(FactoryError, match="its answer takes too long"):
        Factory([address], 0.5).versions()


def got(address: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(address, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_the_stand_in_builds_once_and_answers_no_ranges(factory: SyntheticFactory) -> None:
    image = f"{factory.address}/image/{LONGHORN.id}/v1.13.9"
    assert got(f"{image}/kernel-amd64")[0] == 404, "it is not registered"
    client(factory).register(LONGHORN)
    factory.files["kernel-amd64"] = b"kernel"
    assert got(f"{image}/kernel-amd64", "HEAD") == (200, b"")
    assert got(f"{image}/kernel-amd64", Range="bytes=3-") == (200, b"kernel")
    assert factory.built == [f"{LONGHORN.id}/v1.13.9/kernel-amd64"]
    assert got(f"{image}/kernel-amd64.sha256")[0] == 402
    assert got(f"{image}/vmlinuz")[0] == 400
    factory.extensions = ("siderolabs/zfs",)
    assert got(f"{image}/initramfs-amd64.xz") == (
        400,
        b"official extension siderolabs/iscsi-tools is not available\n",
    )


def test_curl_registers_a_schematic_as_the_documents_say(factory: SyntheticFactory) -> None:
    text = (Path(__file__).parents[2] / "docs/assets.md").read_text(encoding="utf-8")
    (line,) = [line.strip() for line in text.splitlines() if line.startswith("    curl ")]
    command = shlex.split(line.replace("https://factory.talos.dev", factory.address))
    answer = json.loads(subprocess.check_output([*command, "--silent"]))
    assert answer == {"id": LONGHORN.id, "schematic": LONGHORN.text}
