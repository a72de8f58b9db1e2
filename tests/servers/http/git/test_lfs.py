"""Git LFS is not offered, and its client shows the sentence that says so."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.git_site import GOOD, Site, serving

from iluvatar_pxe import ratelimit

TOLD = "this server does not offer Git LFS; commit the files without it"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving(tmp_path) as running:
        yield running
        assert running.is_sound()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize(
    "path", ["fleet.git/info/lfs/objects/batch", "fleet/info/lfs/locks/verify", "none/info/lfs"]
)
def test_whatever_its_client_asks_gets_one_sentence(
    site: Site, method: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratelimit._complaints, "_limiters", {})
    with capture_logs() as logs:
        answer = site.web.get(f"/git/{path}", method)
    assert (answer.status, answer.headers["content-type"]) == (
        501,
        "application/vnd.git-lfs+json; charset=utf-8",
    )
    assert json.loads(answer.body)["message"].startswith(TOLD)
    assert [line["why"] for line in logs if line["event"] == "git.refused"] == ["Git LFS is not offered"]


@pytest.mark.skipif(not shutil.which("git-lfs"), reason="needs git-lfs")
def test_its_client_shows_the_sentence(site: Site) -> None:
    ada = site.person()
    ada.git("lfs", "install", "--local")
    ada.git("lfs", "track", "*.img")
    ada.commit({**GOOD, "disk.img": "large"})
    assert f"batch response: {TOLD}" in ada.push(check=False)
    assert site.tip() == ""
