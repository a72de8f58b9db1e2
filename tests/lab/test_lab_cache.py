from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep

import pytest

from iluvatar_pxe.lab.system.cache import cached, default_cache


def test_it_is_built_once_and_then_found(tmp_path: Path) -> None:
    built: list[Path] = []

    def build(directory: Path) -> None:
        built.append(directory)
        (directory / "file").write_text("content")

    first = cached(tmp_path / "cache", "thing", build)
    assert cached(tmp_path / "cache", "thing", build) == first
    assert (first / "file").read_text() == "content"
    assert len(built) == 1


def test_what_a_killed_build_left_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "thing.part").mkdir()
    (tmp_path / "thing.part" / "half").touch()
    ready = cached(tmp_path, "thing", lambda directory: (directory / "whole").touch())
    assert [file.name for file in ready.iterdir()] == ["whole"]


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def interrupted(directory: Path) -> None:
        (directory / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path, "thing", interrupted)
    assert [file.name for file in tmp_path.iterdir()] == ["thing.lock"]


def test_concurrent_users_share_one_build(tmp_path: Path) -> None:
    built: list[Path] = []

    def build(directory: Path) -> None:
        built.append(directory)
        sleep(0.1)  # the others arrive meanwhile
        (directory / "file").touch()

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: cached(tmp_path, "thing", build), range(4)))
    assert found == {tmp_path / "thing"}
    assert len(built) == 1


def test_the_default_is_below_the_users_cache_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "iluvatar-pxe" / "lab"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_cache() == tmp_path / "home" / ".cache" / "iluvatar-pxe" / "lab"
