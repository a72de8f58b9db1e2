"""``plan`` and ``machines show`` ask the daemon how far the boot files are that a machine waits for."""

import json
from pathlib import Path

import pytest
from cli.test_daemon import http, listener
from cli.test_plan import ASSETS, FLEET, FOLDER, SEEN, State
from support.warm import run_warm

KERNEL = f"{FOLDER}/kernel-amd64"
SHORT = "talos/3765...b4ba/v1.13.9/kernel-amd64 is 42 % here (31 of 75 MB, 2.0 MB/s, 22 s left)"
COMING = {KERNEL: {"state": "loading", "done": 31_500_000, "size": 75_000_000, "rate": 2e6, "trouble": ""}}


@pytest.fixture
def state(tmp_path: Path) -> State:
    state = State(tmp_path)
    state.plant(FLEET, {name: size for name, size in ASSETS.items() if name != KERNEL})
    state.fill()
    return state


@pytest.mark.parametrize("command", [("plan",), ("machines", "show")])
def test_it_says_how_far_the_missing_file_is(state: State, command: tuple[str, ...]) -> None:
    with listener(state.state / "control.sock", http(json.dumps({"coming": COMING}))) as asked:
        done = run_warm(*command, SEEN, "--config", str(state.config))
    assert asked[0].startswith(b"GET /api/v1/coming HTTP/1.1\r\n")
    assert SHORT in " ".join(done.output.split())


def test_the_list_of_boot_files_has_it(state: State) -> None:
    with listener(state.state / "control.sock", http(json.dumps({"coming": COMING}))):
        done = state.plan(SEEN, "--json")
    assert done.returncode == 1
    (kernel, initramfs) = json.loads(done.stdout)["files"]
    assert kernel["coming"] == f"{KERNEL} is 42 % here (31 of 75 MB, 2.0 MB/s, 22 s left)"
    assert (kernel["bytes"], initramfs["coming"]) == (None, None)


def test_without_a_daemon_a_file_of_the_catalogue_is_to_be_fetched(state: State) -> None:
    done = state.plan(SEEN)
    told = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert "v1.13.9/kernel-amd64 is missing, and nothing fetches it" in told
    assert "iluvatar-pxe assets fetch" in told
    assert "assets.entries" not in told


@pytest.mark.parametrize(
    "answer",
    [
        http('{"error": "no daemon is running"}', "409 Conflict"),
        http('{"error": "no such command"}', "404 Not Found"),
        b"",
    ],
)
def test_without_an_answer_the_file_is_missing(state: State, answer: bytes) -> None:
    with listener(state.state / "control.sock", answer):
        done = state.plan(SEEN)
    assert done.returncode == 1
    assert f"the file {KERNEL} is missing" in " ".join(done.stdout.split())
