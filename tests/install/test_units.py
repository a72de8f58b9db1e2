"""The unit files and the settings file, by systemd's own judgement and by the settings that there are."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from support.waiting import PATIENCE

from iluvatar_pxe.resources import data_directory
from iluvatar_pxe.settings.model import Settings

UNITS = data_directory("systemd")
WORST = 2.0


def analyze(*words: str) -> str:
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    command = ["systemd-analyze", "--no-pager", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_service_is_hardened() -> None:
    told = analyze("security", "--offline=true", f"{UNITS}/iluvatar-pxe.service")
    level = re.search(r"exposure level for iluvatar-pxe.service: ([\d.]+)", told)
    assert level
    assert float(level[1]) <= WORST, told


def test_the_units_are_correct(tmp_path: Path) -> None:
    for name in ("iluvatar-pxe.service", "iluvatar-pxe.socket"):
        text = (UNITS / name).read_text().replace("/usr/bin/iluvatar-pxe", "/bin/true")
        (tmp_path / name).write_text(text)
    analyze("verify", "--man=no", *(str(file) for file in tmp_path.iterdir()))


@pytest.mark.parametrize(
    ("allowed", "left"), [("212992", "4194304"), ("4194304", "4194304"), ("8388608", "8388608")]
)
def test_what_may_wait_in_the_kernel_is_raised_and_never_lowered(
    tmp_path: Path, allowed: str, left: str
) -> None:
    limit = tmp_path / "rmem_max"
    limit.write_text(f"{allowed}\n")
    unit = (UNITS / "iluvatar-pxe.service").read_text().replace("\\\n", "")
    line = next(line for line in unit.splitlines() if line.startswith("ExecStartPre="))
    script = line.partition("'")[2].removesuffix("'").replace("$$", "$")
    subprocess.run(["sh", "-c", script.replace("/proc/sys/net/core/rmem_max", str(limit))], check=True)
    assert limit.read_text() == f"{left}\n"
    assert (
        subprocess.check_output(["sh", "-c", script.replace("/proc", "/none")], stderr=subprocess.STDOUT)
        == b""
    )


def uncommented() -> dict[str, Any]:
    text = (UNITS / "config.toml").read_text()
    return tomllib.loads(re.sub(r"^#(?! )", "", text, flags=re.MULTILINE))


def test_the_settings_file_changes_nothing() -> None:
    text = (UNITS / "config.toml").read_text()
    assert {section: keys for section, keys in tomllib.loads(text).items() if keys} == {}


def test_the_settings_file_has_every_key_with_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    defaults = Settings()
    places = {
        ("database", "url"): defaults.database_url,
        ("assets", "directory"): str(defaults.assets_directory),
        ("state", "directory"): str(defaults.state_directory),
        ("control", "socket"): str(defaults.control_socket),
    }
    expected = {
        section: {key: places.get((section, key), value) for key, value in keys.items()}
        for section, keys in defaults.model_dump(mode="json").items()
    }
    assert Settings.model_validate(uncommented()).model_dump(mode="json") == expected


def test_the_settings_file_names_every_key() -> None:
    text = (UNITS / "config.toml").read_text()
    for section, keys in Settings().model_dump().items():
        part = text.partition(f"[{section}]\n")[2].partition("\n[")[0]
        assert {key for key in keys if not re.search(rf"^# ?{key} = ", part, re.MULTILINE)} == set(), section
