"""``fleet mirrors`` as a process: the applied fleet's registries in the words of Talos and of k3s."""

from pathlib import Path

import pytest
from cli.test_plan import State
from support.warm import run_warm

FLEET = {"fleet.yaml": 'registries: {mirrors: {docker.io: ["http://10.0.0.2:5000"]}}\n'}
SHOWN = {
    "talos": (
        '---\napiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: "docker.io"\n'
        'endpoints:\n  - url: "http://10.0.0.2:5000"\n'
    ),
    "k3s": 'mirrors:\n  "docker.io":\n    endpoint:\n      - "http://10.0.0.2:5000"\n',
}


@pytest.mark.parametrize("node", SHOWN)
def test_it_can_be_used_as_it_is(tmp_path: Path, node: str) -> None:
    state = State(tmp_path)
    state.plant(FLEET, {})
    done = run_warm("fleet", "mirrors", node, "--config", str(state.config))
    assert (done.status, done.output) == (0, SHOWN[node]), done.error
