"""SIGKILL at random instants of a search by each of the agents: it ends as if nothing had been."""

import json
import random
from pathlib import Path

import pytest

from tests.agents.search.test_kill import rows, searched_in_pieces, start, weights
from tests.faults.damage import cases

pytestmark = pytest.mark.slow
AGENTS = (
    *("reinforce", "evolution", "random", "screen", "hybrid"),
    *("ppo", "a2c", "maskable_ppo", "recurrent_ppo"),
)
OWN = {
    "evolution": ["--population", "8", "--tournament", "3"],
    "reinforce": ["--elite-size", "4", "--avoid-repeats", "True"],
}
RECIPE = {"name": "quick", "epochs": 1, "reward_epochs": 1, "train_images": 64}


@pytest.mark.parametrize("agent", AGENTS)
def test_no_agent_loses_anything_to_kills(agent: str, tmp_path: Path) -> None:
    kills = -(-cases(14, 200) // len(AGENTS))
    children = str(max(24, kills))
    flags = [
        *("--env", "NAS-Digits-v0", "--recipe", json.dumps(RECIPE), "--num-layers", "2"),
        *("--agent", agent, *OWN.get(agent, []), "--children", children),
        *("--children-per-update", "3", "--seed", "5", "--executor", "local", "--no-progress"),
    ]
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    assert start(whole, *flags).wait(timeout=600) == 0
    killed = searched_in_pieces(pieces, flags, kills, random.Random(AGENTS.index(agent)))
    print(f"{agent}: {killed} kills")
    assert killed > kills / 2
    assert rows(pieces) == rows(whole)
    assert weights(pieces) == weights(whole)
    assert "again" not in (pieces / "log").read_text().split()
    assert not (pieces / "run" / "lock").exists()
