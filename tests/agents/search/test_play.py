"""Playing batches: ours and foreign environments give agents the same game."""

import gc
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import agents
import nas_env
from agents.random_search import RandomSearchAgent
from agents.search.play import (
    LockstepPlayer,
    Order,
    SinglePlayer,
    VectorPlayer,
    make_player,
    to_batch,
)
from nas_env.envs.vector_env import ArchitectureVectorEnv
from nas_env.errors import ConfigurationError
from nas_env.space.conv import ConvSpace
from nas_env.space.layer_types import LayerTypesSpace

SPACE = nas_env.ChoiceSpace({"width": [8, 16, 32, 64], "size": [1, 3, 5]})


def worth(architecture: Any, seed: int) -> float:
    return float(architecture["width"] * architecture["size"])


class Foreign(gym.Wrapper[Any, Any, Any, Any]):
    """Somebody's own rule, so that the environment is not played as ours."""


def foreign() -> gym.Env[Any, Any]:
    return Foreign(nas_env.ArchitectureEnv(SPACE, worth))


def test_our_environments_are_played_in_lockstep_whatever_gymnasium_wraps_around_them() -> None:
    single = gym.make("NAS-Digits-v0", evaluator=lambda architecture, seed: 0.5)
    assert isinstance(make_player(single), LockstepPlayer)
    vector = ArchitectureVectorEnv(SPACE, worth, num_envs=2)
    assert isinstance(make_player(vector), LockstepPlayer)
    assert isinstance(make_player(foreign()), SinglePlayer)
    assert isinstance(make_player(SyncVectorEnv([foreign])), VectorPlayer)


def test_a_player_leaves_the_evaluator_of_the_environment_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forgotten(env: ArchitectureVectorEnv) -> None:  # as Gymnasium up to 1.2 has it
        env.close()

    monkeypatch.setattr(ArchitectureVectorEnv, "__del__", forgotten, raising=False)
    closed: list[bool] = []
    env = nas_env.ArchitectureEnv(SPACE, worth)
    env.evaluator.close = lambda: closed.append(True)  # type: ignore[method-assign]
    player = make_player(env)
    player.play(RandomSearchAgent(player.problem, seed=0), Order(2, first=0, seed=0))
    del player
    gc.collect()
    assert not closed
    env.close()
    assert closed


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_foreign_vector_environments_give_the_same_episodes_as_ours(mode: AutoresetMode) -> None:
    ours = agents.run_search(nas_env.ArchitectureEnv(SPACE, worth), "random", 12, 4, seed=2)
    env = SyncVectorEnv([foreign] * 2, autoreset_mode=mode)
    theirs = agents.run_search(env, "random", 12, 4, seed=2)
    for one, two in zip(ours.episodes, theirs.episodes, strict=True):
        assert (one.tokens, one.metric, one.reward, one.state, one.architecture) == (
            *(two.tokens, two.metric, two.reward, two.state, two.architecture),
        )
    env.close()


def test_foreign_vector_environments_play_whole_rounds_only() -> None:
    env = SyncVectorEnv([foreign] * 2)
    with pytest.raises(ConfigurationError, match="multiples"):
        agents.run_search(env, "random", children=3, children_per_update=2)
    env.close()


@pytest.mark.parametrize("agent", ["reinforce", "random", "evolution"])
def test_episodes_of_different_lengths_are_learned_from_whole(agent: str) -> None:
    """Rows of a foreign vector environment may end at different steps."""

    class Depths(gym.Wrapper[Any, Any, Any, Any]):
        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            depth = 1 + (seed or 0) % 3
            return self.env.reset(seed=seed, options={"num_layers": depth})

    space = ConvSpace(num_layers=2, max_layers=3)

    def make() -> gym.Env[Any, Any]:
        return Depths(nas_env.ArchitectureEnv(space, lambda a, seed: 1.0))

    env = SyncVectorEnv([make] * 4)
    options: dict[str, Any] = {"population": 4, "tournament": 2} if agent == "evolution" else {}
    result = agents.run_search(env, agent, children=24, children_per_update=8, **options)
    assert {len(episode.tokens) for episode in result.episodes} == {3, 7, 12}
    env.close()


def test_batches_are_padded_with_token_0_and_open_masks() -> None:
    space = ConvSpace(num_layers=2, max_layers=3)
    player = make_player(nas_env.ArchitectureEnv(space, lambda a, seed: 1.0))
    agent = RandomSearchAgent(player.problem)
    short = player.play(agent, Order(1, 0, 0, num_layers=1))
    long = player.play(agent, Order(1, 1, 0, num_layers=3))
    batch = to_batch([*short, *long])
    assert batch.lengths.tolist() == [3, 12]
    assert (batch.tokens[0, 3:] == 0).all()
    assert batch.masks[0, 3:].all()
    assert np.array_equal(batch.masks[1], space.static_masks)


def test_an_environment_with_other_spaces_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="action_mask"):
        make_player(gym.make("CartPole-v1"))


@pytest.mark.parametrize("agent", ["reinforce", "random", "evolution"])
def test_masks_that_depend_on_earlier_tokens_are_kept(agent: str) -> None:
    """Layer types: most positions are closed by the type that was chosen."""
    env = nas_env.ArchitectureEnv(LayerTypesSpace(3, 3), lambda a, seed: seed % 7)
    options: dict[str, Any] = {"population": 8, "tournament": 3} if agent == "evolution" else {}
    result = agents.run_search(env, agent, children=64, **options)
    assert all(episode.state == "complete" for episode in result.episodes)


class Stranger(gym.Env[Any, Any]):
    """Nothing of ours; notes the seeds that it is reset with."""

    def __init__(self) -> None:
        self.seeds: list[int | None] = []
        self.action_space = gym.spaces.Discrete(3)
        self.observation_space = gym.spaces.Dict(
            {
                "tokens": gym.spaces.MultiDiscrete([4]),
                "position": gym.spaces.Discrete(2),
                "action_mask": gym.spaces.MultiBinary(3),
            }
        )

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.seeds.append(seed)
        return self._seen(0, 0), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self._seen(int(action) + 1, 1), float(action), True, False, {}

    def _seen(self, token: int, position: int) -> dict[str, Any]:
        mask = np.ones(3, np.int8)
        return {"tokens": np.array([token]), "position": position, "action_mask": mask}


def test_every_episode_of_a_foreign_environment_has_a_seed_of_its_own() -> None:
    env = Stranger()
    agents.run_search(env, "random", children=12, children_per_update=4, seed=5)
    assert len(set(env.seeds)) == 12 and None not in env.seeds
    again = Stranger()
    agents.run_search(again, "random", children=12, children_per_update=3, seed=5)
    assert again.seeds == env.seeds  # of the episode's number, not of the batch
    other = Stranger()
    agents.run_search(other, "random", children=12, children_per_update=4, seed=6)
    assert not set(other.seeds) & set(env.seeds)
