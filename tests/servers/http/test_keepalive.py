"""One connection carries a whole boot: iPXE and UEFI keep theirs."""

import http.client
import random
from pathlib import Path

from structlog.testing import capture_logs
from support.web import web

CONTENT = random.Random(2).randbytes(3 << 20)


def test_files_follow_each_other_on_one_connection(tmp_path: Path) -> None:
    with web(tmp_path) as served, capture_logs() as log:
        served.put("kernel", CONTENT)
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
        connection.connect()
        port = connection.sock.getsockname()[1]
        for path, expected in (
            ("/assets/kernel", CONTENT),
            ("/healthz", b"ok\n"),
            ("/assets/kernel", CONTENT),
        ):
            connection.request("GET", path)
            assert connection.getresponse().read() == expected
            assert connection.sock.getsockname()[1] == port, "the server closed the connection"
        connection.close()
    assert log == []
