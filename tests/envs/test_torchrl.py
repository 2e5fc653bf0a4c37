"""TorchRL finds in our environments what it looks for."""

from typing import Any

import pytest


def worth(architecture: Any, seed: int) -> float:
    return 0.5


@pytest.mark.filterwarnings("default")  # of TorchRL's own
def test_torchrl_gym_env_passes_its_own_check_and_rolls_out_with_masks() -> None:
    missing = "torchrl is not installed: pip install torchrl"
    envs = pytest.importorskip("torchrl.envs", reason=missing)
    check_env_specs = pytest.importorskip("torchrl.envs.utils").check_env_specs
    make = {"evaluator": worth, "categorical_action_encoding": True}
    # One layer has four options for each of its tokens: TorchRL's check plays without a mask.
    check_env_specs(envs.GymEnv("NAS-Digits-v0", num_layers=1, **make))
    deep = envs.GymEnv("NAS-Digits-v0", num_layers=3, **make)
    played = envs.TransformedEnv(deep, envs.ActionMask()).rollout(50)
    assert len(played) == 3 + 4 + 5
    assert bool(played["next", "terminated"][-1])
    assert float(played["next", "reward"][-1]) == pytest.approx(0.5**3)
