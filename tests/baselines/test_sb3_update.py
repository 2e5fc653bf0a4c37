"""One update of an SB3 agent holds to the paper's setting: whole episodes, nothing discounted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import agents
import nas_env
from agents.registry import make_agent
from agents.search.play import Order, Played, make_player, to_batch
from baselines.sb3 import observation_space
from baselines.table import AGENTS
from nas_env.errors import ConfigurationError, WorkerLost
from nas_env.space.conv import ConvSpace

SPACE = nas_env.ChoiceSpace(
    {"width": [8, 16, 32, 64], "activation": ["relu", "tanh"], "size": [1, 3, 5]}
)
CHILDREN, LENGTH = 8, 3


def worth(architecture: Any, seed: int) -> float:
    return float(architecture["width"] / 64)


def environment() -> nas_env.ArchitectureEnv:
    return nas_env.ArchitectureEnv(SPACE, worth)


def one_update(name: str, **options: Any) -> tuple[Any, list[Played], dict[str, float]]:
    """The agent after an update, what it played, and what it says of the update."""
    player = make_player(environment())
    agent = make_agent(name, player.problem, 0, options)
    played = player.play(agent, Order(CHILDREN, 0, 0))
    return agent, played, agent.learn(to_batch(played))


@pytest.mark.parametrize("name", AGENTS)
def test_a_rollout_is_the_episodes_of_an_update_undiscounted(name: str) -> None:
    """n_steps = episode length x children; return = the child's reward at each of its tokens."""
    agent, played, _ = one_update(name)
    buffer = agent.model.rollout_buffer
    assert (buffer.buffer_size, buffer.n_envs) == (LENGTH * CHILDREN, 1)
    assert (agent.model.gamma, agent.model.gae_lambda) == (1.0, 1.0)
    assert (buffer.gamma, buffer.gae_lambda) == (1.0, 1.0)
    rewards = np.repeat([episode.reward for episode in played], LENGTH)
    returns, values = buffer.returns.reshape(-1), buffer.values.reshape(-1)
    np.testing.assert_allclose(returns, rewards, rtol=1e-5)
    np.testing.assert_allclose(buffer.advantages.reshape(-1), rewards - values, atol=1e-6)


@pytest.mark.parametrize("name", AGENTS)
def test_an_episode_without_a_reward_is_left_out_of_the_rollout(name: str) -> None:
    def measure(architecture: Any, seed: int) -> float:
        if architecture["width"] in (8, 32):
            raise WorkerLost("its machine went away")
        return worth(architecture, seed)

    player = make_player(nas_env.ArchitectureEnv(SPACE, measure))
    agent: Any = make_agent(name, player.problem, 0, {})
    played = player.play(agent, Order(CHILDREN, 0, 0))
    kept = [episode.reward for episode in played if episode.learnable]
    assert 0 < len(kept) < CHILDREN
    agent.learn(to_batch(played))
    buffer = agent.model.rollout_buffer
    returns = buffer.returns.reshape(-1)
    np.testing.assert_allclose(returns, np.repeat(kept, LENGTH), rtol=1e-5)


@pytest.mark.parametrize("name", ["ppo", "maskable_ppo", "recurrent_ppo"])
def test_the_ratio_is_1_before_the_first_step_and_not_after_it(name: str) -> None:
    whole = {"batch_size": LENGTH * CHILDREN, "learning_rate": 1e-2}
    _, _, first = one_update(name, n_epochs=1, **whole)
    _, _, second = one_update(name, n_epochs=2, **whole)
    assert first["approx_kl"] == pytest.approx(0.0, abs=1e-7)
    assert second["approx_kl"] > 1e-4


@pytest.mark.parametrize("name", AGENTS)
def test_an_update_makes_tokens_of_good_children_likelier(name: str) -> None:
    """The gradient has the right sign, and belongs to the tokens that were played."""
    player = make_player(environment())
    rate = 1e-3  # at 1e-2 one seed in three is stuck at a width that is not the best
    agent = make_agent(name, player.problem, 0, {"learning_rate": rate})
    widths = []
    for update in range(40):
        played = player.play(agent, Order(CHILDREN, CHILDREN * update, 0))
        agent.learn(to_batch(played))
        widths.append(np.mean([episode.reward for episode in played]))
    assert np.mean(widths[-5:]) > 0.7, "a policy that has learned nothing earns .47"


def test_the_policy_sees_every_token_chosen_so_far() -> None:
    for env in (environment(), nas_env.ArchitectureEnv(ConvSpace(num_layers=3), worth)):
        assert observation_space(make_player(env).problem) == env.observation_space


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the figures that SB3 logs
@pytest.mark.parametrize("name", AGENTS)
def test_a_policy_that_diverges_is_a_clear_error(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"The policy of {name} diverged.*1e\\+30"):
        agents.run_search(environment(), name, 160, learning_rate=1e30)


@pytest.mark.parametrize("name", AGENTS)
def test_equal_rewards_of_which_no_variance_is_explained_leave_a_report(
    name: str, tmp_path: Path
) -> None:
    env = nas_env.ArchitectureEnv(SPACE, lambda architecture, seed: 0.5)
    agents.run_search(env, name, 24, run_dir=tmp_path / "run")
    assert ",nan," in (tmp_path / "run" / "updates.csv").read_text()
    assert (tmp_path / "run" / "report.html").exists()
