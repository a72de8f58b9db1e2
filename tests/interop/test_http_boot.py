"""curl in the part of UEFI HTTP Boot: HEAD for the size, then GET on the same connection (facts 24 and 5.6)."""

import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.web import Web, web

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]

PROGRAM = random.Random(7).randbytes(300_001)
PATIENCE = 60


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with web(tmp_path_factory.mktemp("web")) as running:
        running.put("ipxe/snponly.efi", PROGRAM)
        yield running


def curl(served: Web, path: str, directory: Path) -> tuple[dict[str, str], dict[str, str], bytes]:
    """Ask as UEFI does; return the headers of HEAD, those of GET, and the body. It follows no redirect."""
    url = f"http://127.0.0.1:{served.port}{path}"
    agent = [
        "--silent",
        "--show-error",
        "--user-agent",
        "UefiHttpBoot/1.0",
        "--write-out",
        "%{num_connects}\n",
    ]
    head, get, body = (directory / name for name in ("head", "get", "body"))
    command = ["curl", *agent, "--head", "--output", str(head), url]
    command += ["--next", *agent, "--dump-header", str(get), "--output", str(body), url]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
    assert printed.split() == ["1", "0"], "one connection for both"
    return headers(head), headers(get), body.read_bytes()


def headers(file: Path) -> dict[str, str]:
    status, *lines = file.read_text(encoding="ascii").splitlines()
    assert status == "HTTP/1.1 200 OK"
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}


@pytest.mark.parametrize("path", ["/assets/ipxe/snponly.efi", "/boot.ipxe", "/autoexec.ipxe"])
def test_head_tells_what_get_brings(served: Web, path: str, tmp_path: Path) -> None:
    head, get, body = curl(served, path, tmp_path)
    assert head["content-length"] == get["content-length"] == str(len(body))
    assert head["content-type"] == get["content-type"]
    for answer in (head, get):
        assert not {"transfer-encoding", "content-encoding", "location"} & set(answer)


def test_the_program_arrives_octet_for_octet(served: Web, tmp_path: Path) -> None:
    assert curl(served, "/assets/ipxe/snponly.efi", tmp_path)[2] == PROGRAM


@pytest.mark.parametrize(
    "path", ["//assets/ipxe/snponly.efi", "/assets//ipxe/snponly.efi", "/assets", "/assets/"]
)
def test_no_path_is_redirected(served: Web, path: str) -> None:
    """UEFI follows none (tinkerbell/smee#229)."""
    assert served.get(path).status == 404
