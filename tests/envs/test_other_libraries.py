"""Libraries that people bring find what they look for: TorchRL's GymEnv, RLlib's masked models."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import nas_env


def worth(architecture: Any, seed: int) -> float:
    return 0.5


def first(architecture: Any, seed: int) -> float:
    return float(architecture["a"] / 4)


class MaskedObservations(gym.ObservationWrapper[Any, Any, Any]):
    """What RLlib's action-masking models expect: {"observations": flat, "action_mask": floats}."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        inner: Any = env.observation_space
        self.rest = gym.spaces.Dict({key: inner[key] for key in ("tokens", "position")})
        size, actions = gym.spaces.flatdim(self.rest), inner["action_mask"].n
        self.observation_space = gym.spaces.Dict(
            {
                "observations": gym.spaces.Box(0.0, 1.0, (size,), np.float32),
                "action_mask": gym.spaces.Box(0.0, 1.0, (actions,), np.float32),
            }
        )

    def observation(self, observation: Any) -> Any:
        rest = {key: observation[key] for key in self.rest}
        flat = np.asarray(gym.spaces.flatten(self.rest, rest), np.float32)
        return {
            "observations": flat,
            "action_mask": observation["action_mask"].astype(np.float32),
        }


def test_a_masked_model_in_rllibs_manner_plays_and_learns_on_its_observations() -> None:
    """Logits + log(mask), no lower than the smallest float, as RLlib's own masked module does."""
    import torch

    torch.manual_seed(0)
    space = nas_env.ChoiceSpace({"a": [1, 2, 3, 4], "b": [1, 2], "c": [1, 2, 3]})
    env = MaskedObservations(nas_env.ArchitectureEnv(space, first))
    model = torch.nn.Linear(env.observation_space["observations"].shape[0], 4)  # type: ignore[index]
    optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
    rewards = []
    for _ in range(200):
        observation, _ = env.reset(seed=0)
        log_probs, ended, reward = [], False, 0.0
        while not ended:
            assert env.observation_space.contains(observation)
            mask = torch.from_numpy(observation["action_mask"])
            lowest = torch.finfo(torch.float32).min
            logits = model(torch.from_numpy(observation["observations"]))
            log_p = (logits + mask.log().clamp(min=lowest)).log_softmax(-1)
            token = int(torch.multinomial(log_p.exp(), 1))
            log_probs.append(log_p[token])
            observation, reward, ended, _, _ = env.step(np.int64(token))  # type: ignore[assignment]
        rewards.append(reward)
        loss = -(reward - 0.6) * torch.stack(log_probs).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)
        optimiser.step()
    assert np.mean(rewards[-30:]) > 0.9, "a policy that has learned nothing earns .625"


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
