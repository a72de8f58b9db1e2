"""The pages about clusters, network, fleet and boot files, as the real daemon answers; and the same data by its API."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from support.daemon import Daemon
from support.html import Page
from support.waiting import wait_until

PAGES = {"/clusters": "Clusters", "/network": "Network", "/fleet": "Fleet", "/assets": "Assets"}


def got(daemon: Daemon, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{daemon.http_port}{path}", timeout=60) as answer:
        return str(answer.read().decode())


def test_each_page_has_its_heading_and_is_where_the_navigation_says(tmp_path: Path) -> None:
    with Daemon(tmp_path, {"fleet": {"source": "hosted"}}) as daemon:
        for path, heading in PAGES.items():
            shown = Page(got(daemon, path))
            assert shown.texts("h1") == [heading]
            (here,) = shown.all("a", **{"aria-current": "page"})
            assert (here.attributes["href"], here.text) == (path, heading)

        def commits() -> list[str]:
            return Page(got(daemon, "/fleet")).texts("h3")

        wait_until(lambda: commits()[1:], "the first commits to be recorded")
        told = json.loads(got(daemon, "/api/v1/fleet/commits?limit=1"))
        assert [f"{one['commit'][:12]} {one['subject']}" for one in told["commits"]] == commits()[:1]
        assert told["in_force"]["commit"] == told["commits"][0]["commit"]
        wait_until(lambda: Page(got(daemon, "/clusters")).texts("h2"), "the clusters to be asked")
        assert sorted(Page(got(daemon, "/clusters")).texts("h2")) == ["ainur waiting", "arda waiting"]
        assert json.loads(got(daemon, "/api/v1/network")) == {
            "dhcp_servers": [],
            "unknown": [],
            "unknown_in_all": 0,
        }
        for path in ("/fleet?limit=0", "/fleet?before=x"):
            with pytest.raises(urllib.error.HTTPError, match="400"):
                got(daemon, path)
        assert daemon.stop() == 0
