from pathlib import Path

from iluvatar_pxe.host.own_nics import own_macs


def test_macs_are_read_in_one_spelling_and_loopback_has_none(tmp_path: Path) -> None:
    for name, text in {"eth0": "2C:CF:67:00:00:05\n", "lo": "00:00:00:00:00:00\n", "tun0": "\n"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "address").write_text(text)
    (tmp_path / "bonding_masters").write_text("")
    assert own_macs(tmp_path) == ("2c:cf:67:00:00:05",)


def test_the_kernels_own_are_read() -> None:
    assert all(len(mac) == 17 for mac in own_macs())
