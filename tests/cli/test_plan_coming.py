"""``plan`` and ``machines show`` where a boot file is missing, beside a daemon that does not tell, and alone."""

from pathlib import Path

import pytest
from cli.test_daemon import http, listener
from cli.test_plan import ASSETS, FLEET, FOLDER, SEEN, State
from support.warm import run_warm

KERNEL = f"{FOLDER}/kernel-amd64"


@pytest.fixture
def state(tmp_path: Path) -> State:
    state = State(tmp_path)
    state.plant(FLEET, {name: size for name, size in ASSETS.items() if name != KERNEL})
    state.fill()
    return state


def test_without_a_daemon_a_file_of_the_catalogue_is_to_be_fetched(state: State) -> None:
    done = state.plan(SEEN)
    told = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert "v1.13.9/kernel-amd64 is missing, and nothing fetches it" in told
    assert "iluvatar-pxe assets fetch" in told
    assert "assets.entries" not in told


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (http('{"error": "the database is away"}', "503 Service Unavailable"), "the database is away"),
        (
            http('{"error": "404: Not Found"}', "404 Not Found"),
            "of another version (404: Not Found); restart it",
        ),
        (http('{"error": "arch: not known"}', "400 Bad Request"), "of another version (arch: not known)"),
        (b"nonsense", "the service may be restarting"),
    ],
)
@pytest.mark.parametrize("command", [("plan",), ("machines", "show")])
def test_without_an_answer_it_is_told_and_what_is_recorded_follows(
    state: State, command: tuple[str, ...], answer: bytes, why: str
) -> None:
    with listener(state.state / "control.sock", answer):
        done = run_warm(*command, SEEN, "--config", str(state.config))
    (line,) = done.error.splitlines()
    assert why in line
    assert line.endswith("; what follows is what is recorded")
    assert f"{KERNEL} is missing" in " ".join(done.output.split())


@pytest.mark.parametrize("command", [("plan",), ("machines", "show")])
def test_a_refusal_is_the_answer(state: State, command: tuple[str, ...]) -> None:
    with listener(state.state / "control.sock", http('{"error": "who is that?"}', "404 Not Found")):
        done = run_warm(*command, SEEN, "--config", str(state.config))
    assert (done.status, done.output, done.error) == (1, "", "iluvatar-pxe: who is that?\n")
