import pytest

from iluvatar_pxe.lab.holder import start_holder


def test_the_holder_is_started_and_says_what_it_lacks_whatever_path_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    said: list[str] = []
    assert not start_holder(["/bin/echo", "unshare is not in PATH"], said.append)
    assert said == ["unshare is not in PATH"]
