"""The file of what was applied last: whole and of this source, or it tells nothing."""

import hashlib
import json
import zlib
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.fleets import ARDA

from iluvatar_pxe.gitops.kept import KeptFile

TEXTS = {"fleet.yaml": "domain: home.arpa\n", "layers/arda.yaml": ARDA}


@pytest.fixture
def file(tmp_path: Path) -> KeptFile:
    file = KeptFile(tmp_path / "fleet.applied", "refs/heads/main")
    file.write(TEXTS)
    return file


def test_what_was_written_is_read(file: KeptFile) -> None:
    kept = file.read()
    assert kept
    assert (kept.texts, kept.commit, list(kept.fleet.layers)) == (TEXTS, None, ["arda"])


def test_what_is_of_another_branch_tells_nothing(file: KeptFile) -> None:
    assert KeptFile(file.path, "refs/heads/other").read() is None


def test_one_that_is_not_there_tells_nothing_and_is_no_fault(tmp_path: Path) -> None:
    with capture_logs() as log:
        assert KeptFile(tmp_path / "fleet.applied", "").read() is None
    assert log == []


def test_what_its_sum_does_not_fit_tells_nothing_even_if_it_can_be_read(file: KeptFile) -> None:
    packed = zlib.compress(
        json.dumps(
            {"source": file.source, "commit": None, "texts": {"fleet.yaml": ""}, "objects": {}}
        ).encode()
    )
    file.path.write_bytes(file.path.read_bytes()[:65] + packed)
    with capture_logs() as log:
        assert file.read() is None
    assert [line["why"] for line in log] == ["is damaged; it is written again"]
    file.path.write_bytes(hashlib.sha256(packed).hexdigest().encode() + b"\n" + packed)
    assert file.read()


def test_what_another_version_wrote_tells_nothing(file: KeptFile) -> None:
    packed = zlib.compress(b'{"version": 2}')
    file.path.write_bytes(hashlib.sha256(packed).hexdigest().encode() + b"\n" + packed)
    with capture_logs() as log:
        assert file.read() is None
    assert [line["event"] for line in log] == ["fleet.kept"]
