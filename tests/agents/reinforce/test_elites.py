"""Priority queue training and advantages of unit size, against figures worked out by hand."""

from typing import Any

import numpy as np
import pytest

from agents.agent import Batch
from agents.reinforce.agent import ReinforceAgent
from agents.reinforce.elites import Elites
from agents.reinforce.settings import ReinforceSettings
from nas_env.errors import CheckpointError, ConfigurationError
from nas_env.space.layout import Position

TWO = (Position("a", (0, 1, 2), layer=1), Position("b", (0, 1, 2), layer=1))


def batch_of(tokens: list[list[int]], rewards: list[float]) -> Batch:
    lengths = np.array([len(row) for row in tokens])
    padded = np.zeros((len(tokens), lengths.max()), np.int64)
    for row, values in enumerate(tokens):
        padded[row, : len(values)] = values
    masks = np.ones((*padded.shape, 3), np.bool_)
    return Batch(padded, masks, lengths, np.array(rewards))


def test_the_queue_keeps_the_best_unique_sequences() -> None:
    elites = Elites(2)
    elites.add(batch_of([[0, 0], [1, 1], [1, 1], [2, 2]], [0.1, 0.5, 0.9, 0.3]))
    kept = elites.batch()
    # The second [1, 1] is the same architecture: its first reward counts.
    assert kept.tokens.tolist() == [[1, 1], [2, 2]] and kept.rewards.tolist() == [0.5, 0.3]
    elites.add(batch_of([[0, 1], [0, 2]], [0.5, 0.4]))
    assert elites.batch().tokens.tolist() == [[1, 1], [0, 1]]  # of equals the earlier first


def test_sequences_of_different_lengths_are_padded() -> None:
    elites = Elites(3)
    elites.add(batch_of([[0, 1, 2], [2]], [0.1, 0.5]))
    kept = elites.batch()
    assert kept.tokens.tolist() == [[2, 0, 0], [0, 1, 2]] and kept.lengths.tolist() == [1, 3]


def test_the_gradient_of_elites_is_minus_weight_times_indicator_minus_probability(
    game: Any,
) -> None:
    """d loss / d logit = -w / K sum over elites of (1[a] - p)."""
    maker = game(TWO)
    settings = ReinforceSettings(elite_size=2, elite_weight=0.25)
    agent = ReinforceAgent(maker.problem, seed=0, settings=settings)
    agent.elites.add(batch_of([[0, 1], [2, 1]], [0.7, 0.6]))
    agent.controller.zero_grad()
    loss = settings.elite_weight * agent._elite_loss()
    loss.backward()  # type: ignore[no-untyped-call]
    observations = maker.observe(np.zeros((1, 2), np.int64), np.zeros(1, np.int64))
    p = agent.sampler.probabilities(observations)[0]
    expected = -0.25 / 2 * (np.eye(3)[0] + np.eye(3)[2] - 2 * p)
    assert agent.controller.head_bias.grad is not None
    np.testing.assert_allclose(agent.controller.head_bias.grad[0], expected, atol=1e-12)


def test_advantages_of_unit_size_do_not_depend_on_the_scale_of_rewards(game: Any) -> None:
    def weights(scale: float) -> Any:
        maker = game(TWO, lambda tokens: scale * float(tokens[0]))
        settings = ReinforceSettings(unit_advantages=True, entropy_coefficient=0.3)
        agent = ReinforceAgent(maker.problem, seed=1, settings=settings)
        for _ in range(5):
            agent.learn(maker.play(agent, 4))
        return agent.state().arrays["weight.head_weight"]

    np.testing.assert_allclose(weights(1.0), weights(1e-4), atol=1e-9)


def test_equal_rewards_teach_nothing_even_at_unit_size(game: Any) -> None:
    maker = game(TWO, lambda tokens: 0.5)
    agent = ReinforceAgent(maker.problem, 0, ReinforceSettings(unit_advantages=True))
    before = agent.state().arrays["weight.head_bias"]
    for _ in range(3):
        agent.learn(maker.play(agent, 4))
    np.testing.assert_allclose(agent.state().arrays["weight.head_bias"], before, atol=1e-9)


def test_a_search_with_elites_continues_bit_for_bit(game: Any) -> None:
    maker = game(TWO, lambda tokens: float(tokens.sum()))
    settings = ReinforceSettings(
        learning_rate=0.02, elite_size=3, unit_advantages=True, entropy_coefficient=0.1
    )

    def fresh() -> ReinforceAgent:
        return ReinforceAgent(maker.problem, 3, settings)

    whole, first, second = fresh(), fresh(), fresh()
    for agent in (whole, first):
        for _ in range(3):
            agent.learn(maker.play(agent, 4))
    second.load_state(first.state())
    for agent in (whole, second):
        for _ in range(3):
            agent.learn(maker.play(agent, 4))
    one, other = whole.state(), second.state()
    assert one.values == other.values and one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name], err_msg=name)


def test_a_checkpoint_without_its_elites_is_refused(game: Any) -> None:
    maker = game(TWO)
    agent = ReinforceAgent(maker.problem, 0, ReinforceSettings(elite_size=2))
    agent.learn(maker.play(agent, 4))
    state = agent.state()
    del state.arrays["elite.tokens"]
    with pytest.raises(CheckpointError, match=r"elite\.tokens"):
        agent.load_state(state)


@pytest.mark.parametrize("setting", [{"elite_size": -1}, {"elite_weight": 0.0}])
def test_settings_out_of_range_are_named(setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(setting))):
        ReinforceSettings(**setting)
