"""``serve`` without the command line's library: taken where it is written plainly, and then the same."""

import sys
from pathlib import Path

import pytest

from iluvatar_pxe.cli.directly import is_plain_serve
from iluvatar_pxe.cli.directly import serve as directly
from iluvatar_pxe.cli.main import main


@pytest.mark.parametrize("arguments", [["serve"], ["serve", "--config", "/etc/iluvatar-pxe/config.toml"]])
def test_it_is_written_plainly(arguments: list[str]) -> None:
    assert is_plain_serve(arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["status"],
        ["serve", "--help"],
        ["serve", "--config"],
        ["serve", "--config", "--help"],
        ["serve", "--config=config.toml"],
        ["serve", "--config", "one.toml", "--config", "two.toml"],
        ["--server", "https://192.0.2.1", "serve"],
    ],
)
def test_the_rest_is_for_typer(arguments: list[str]) -> None:
    assert not is_plain_serve(arguments)


def test_both_ways_refuse_wrong_settings_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[network]\nports = 1\n")
    with pytest.raises(SystemExit) as plain:
        directly(["serve", "--config", str(file)])
    told = capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["iluvatar-pxe", "serve", f"--config={file}"])
    with pytest.raises(SystemExit) as by_typer:
        main()
    assert (plain.value.code, told) == (by_typer.value.code, capsys.readouterr())
    assert plain.value.code == 2
    assert str(file) in told.err
