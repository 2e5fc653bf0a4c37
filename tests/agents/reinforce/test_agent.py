"""REINFORCE: gradients worked out by hand, one test per bug of published re-implementations."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from agents.agent import Batch
from agents.reinforce.agent import ReinforceAgent
from agents.reinforce.baseline import MovingBaseline
from agents.reinforce.settings import ReinforceSettings
from nas_env.errors import CheckpointError, ConfigurationError
from nas_env.space.layout import Position

TWO = (Position("a", (0, 1, 2), layer=1), Position("b", (0, 1, 2), layer=1))


def batch_of(game: Any, tokens: list[list[int]], rewards: list[float]) -> Batch:
    array = np.array(tokens)
    masks = np.stack([game.mask(p) for p in range(array.shape[1])])
    return Batch(
        array,
        masks[None].repeat(len(array), axis=0),
        np.full(len(array), array.shape[1]),
        np.array(rewards),
    )


def bias_gradient(agent: ReinforceAgent, batch: Batch, baseline: float) -> Any:
    """(heads, options) d loss / d logit, summed over the positions of a head."""
    agent.controller.zero_grad()
    loss, _ = agent._loss(batch, batch.rewards - baseline)
    loss.backward()  # type: ignore[no-untyped-call]
    assert agent.controller.head_bias.grad is not None
    return agent.controller.head_bias.grad.numpy()


def test_gradient_of_a_logit_is_minus_advantage_times_indicator_minus_probability(
    game: Any,
) -> None:
    """d loss / d logit = -(R - b) (1[a] - p): of the token that was sampled, not the likeliest."""
    maker = game(TWO)
    agent = ReinforceAgent(maker.problem, seed=0)
    for token in range(3):
        batch = batch_of(maker, [[token, 1]], [0.7])
        observations = maker.observe(np.zeros((1, 2), np.int64), np.zeros(1, np.int64))
        agent.sampler.forget()
        p = agent.sampler.probabilities(observations)[0]
        expected = -(0.7 - 0.2) * (np.eye(3)[token] - p)
        np.testing.assert_allclose(bias_gradient(agent, batch, 0.2)[0], expected, atol=1e-12)


def test_the_entropy_bonus_is_that_of_whole_episodes(game: Any) -> None:
    """c times the mean over episodes of the sum over an episode's own tokens; padding has none."""
    maker = game(TWO)
    agent = ReinforceAgent(maker.problem, 0, ReinforceSettings(entropy_coefficient=0.5))
    batch = replace(batch_of(maker, [[0, 2], [1, 0]], [0.0, 0.0]), lengths=np.array([2, 1]))
    loss, per_token = agent._loss(batch, np.zeros(2))
    tokens, positions = np.array([[0, 0], [0, 0], [0, 0]]), np.array([0, 0, 1])
    p = agent.sampler.probabilities(maker.observe(tokens, positions))  # (3 states, tokens)
    entropies = -(p * np.log(p)).sum(axis=1)
    assert loss.item() == pytest.approx(-0.5 * entropies.sum() / 2)
    assert per_token.item() == pytest.approx(entropies.mean())


def test_every_token_is_credited_with_the_whole_reward(game: Any) -> None:
    """gamma is 1: the first decision gets as much credit as the last."""
    maker = game(TWO)
    agent = ReinforceAgent(maker.problem, seed=0)
    gradient = bias_gradient(agent, batch_of(maker, [[0, 0]], [1.0]), 0.0)
    log_p, _ = agent.controller(np.array([[0, 0]]), np.ones((1, 2, 3), bool))
    first, last = log_p.exp()[0].tolist()
    assert gradient[0, 0] == pytest.approx(-(1 - first), abs=1e-12)
    assert gradient[1, 0] == pytest.approx(-(1 - last), abs=1e-12)


def test_gradient_sums_over_tokens_and_averages_over_architectures(game: Any) -> None:
    maker = game(TWO)
    agent = ReinforceAgent(maker.problem, seed=0)
    one = batch_of(maker, [[0, 1]], [0.9])
    two = batch_of(maker, [[2, 2]], [0.1])
    both = batch_of(maker, [[0, 1], [2, 2]], [0.9, 0.1])
    mean = (bias_gradient(agent, one, 0.3).copy() + bias_gradient(agent, two, 0.3)) / 2
    np.testing.assert_allclose(bias_gradient(agent, both, 0.3), mean, atol=1e-14)
    log_p, _ = agent.controller(both.tokens, both.masks)
    by_hand = -((0.9 - 0.3) * log_p[0].sum() + (0.1 - 0.3) * log_p[1].sum()) / 2
    loss, _ = agent._loss(both, both.rewards - 0.3)
    assert loss.item() == pytest.approx(by_hand.item(), abs=1e-14)


def test_credit_is_per_architecture_not_the_mean_of_the_batch(game: Any) -> None:
    """With the mean reward for all, swapping two rewards would change nothing."""
    maker = game(TWO)
    agent = ReinforceAgent(maker.problem, seed=0)
    gradient = bias_gradient(agent, batch_of(maker, [[0, 1], [2, 2]], [1.0, 0.0]), 0.5).copy()
    swapped = bias_gradient(agent, batch_of(maker, [[0, 1], [2, 2]], [0.0, 1.0]), 0.5)
    np.testing.assert_allclose(gradient, -swapped, atol=1e-14)
    assert np.abs(gradient).max() > 0.1


def test_padding_of_shorter_episodes_earns_nothing(game: Any) -> None:
    maker = game(TWO)
    agent = ReinforceAgent(maker.problem, seed=0)
    short = batch_of(maker, [[1, 0]], [1.0])
    padded = Batch(short.tokens, np.ones((1, 2, 3), bool), np.array([1]), short.rewards)
    gradient = bias_gradient(agent, padded, 0.0)
    assert np.abs(gradient[1]).max() == 0.0
    assert np.abs(gradient[0]).max() > 0.1


def test_baseline_holds_only_rewards_from_before_the_batch(game: Any) -> None:
    maker = game(TWO)
    agent = ReinforceAgent(maker.problem, seed=0)
    agent.learn(batch_of(maker, [[0, 1], [1, 1]], [0.2, 0.6]))
    before = (0.95 * 0.2 + 0.6) / 1.95
    figures = agent.learn(batch_of(maker, [[2, 2], [0, 0]], [1.0, 1.0]))
    assert figures["baseline"] == pytest.approx(before)
    after = (0.95**3 * 0.2 + 0.95**2 * 0.6 + 0.95 + 1) / (0.95**3 + 0.95**2 + 0.95 + 1)
    assert agent.baseline.value == pytest.approx(after)


def test_first_batch_compares_each_reward_with_the_others() -> None:
    baseline = MovingBaseline(0.95)
    assert baseline.advantages(np.array([0.1, 0.4, 0.7])).tolist() == pytest.approx(
        [-0.45, 0, 0.45]
    )
    assert baseline.advantages(np.array([0.8])).tolist() == [0.0]


def test_the_update_uses_the_episodes_that_were_played(game: Any) -> None:
    """Nothing is sampled again: two agents that draw differently learn the same from one batch."""
    maker = game(TWO)
    one, two = (ReinforceAgent(maker.problem, seed=0) for _ in range(2))
    maker.play(two, 5)
    batch = batch_of(maker, [[0, 1], [2, 2]], [1.0, 0.0])
    one.learn(batch)
    two.learn(batch)
    for a, b in zip(one.controller.parameters(), two.controller.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_better_architecture_becomes_likelier_and_a_worse_one_rarer(game: Any) -> None:
    """The sign of the reward: what earned more than the baseline is reinforced."""
    maker = game(TWO)
    agent = ReinforceAgent(maker.problem, seed=0)
    batch = batch_of(maker, [[0, 1], [2, 2]], [1.0, 0.0])
    before, _ = agent.controller(batch.tokens, batch.masks)
    agent.learn(batch)
    after, _ = agent.controller(batch.tokens, batch.masks)
    change = (after.sum(dim=1) - before.sum(dim=1)).tolist()
    assert change[0] > 0 > change[1]


def test_first_adam_step_moves_a_weight_by_the_learning_rate(game: Any) -> None:
    maker = game(TWO)
    agent = ReinforceAgent(maker.problem, seed=0)
    before = agent.controller.head_bias.detach().clone()
    agent.learn(batch_of(maker, [[0, 1], [2, 2]], [1.0, 0.0]))
    step = (agent.controller.head_bias.detach() - before).abs()
    assert step.max().item() == pytest.approx(6e-4, rel=1e-4)


def test_entropy_bonus_is_off_by_default_and_flattens_the_policy_when_on(game: Any) -> None:
    maker = game(TWO)
    batch = batch_of(maker, [[0, 1]], [0.5])
    assert ReinforceSettings().entropy_coefficient == 0
    plain = ReinforceAgent(maker.problem, seed=0)
    assert np.abs(bias_gradient(plain, batch, 0.5)).max() == 0.0
    bonus = ReinforceAgent(
        maker.problem, seed=0, settings=ReinforceSettings(entropy_coefficient=1.0)
    )
    with torch.no_grad():
        bonus.controller.head_bias[0, 0] += 2.0
    gradient = bias_gradient(bonus, batch, 0.5)
    assert gradient[0, 0] > 0, "descent lowers the logit that dominates"


def test_gradient_clip_bounds_the_norm_that_adam_sees(game: Any) -> None:
    maker = game(TWO)
    agent = ReinforceAgent(maker.problem, seed=0, settings=ReinforceSettings(gradient_clip=1e-3))
    agent.learn(batch_of(maker, [[0, 1], [2, 2]], [1.0, 0.0]))
    grads = [p.grad for p in agent.controller.parameters() if p.grad is not None]
    assert torch.cat([g.flatten() for g in grads]).norm().item() == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("learning_rate", 0.0),
        ("baseline_decay", 1.0),
        ("entropy_coefficient", -1.0),
        ("gradient_clip", 0.0),
        ("hidden_size", 0),
        ("init_range", 0.0),
    ],
)
def test_impossible_settings_are_refused_by_name(option: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=option):
        ReinforceSettings(**{option: value})  # type: ignore[arg-type]


def test_a_restored_agent_continues_bit_for_bit(game: Any, layout: Any) -> None:
    maker = game(layout(4), lambda tokens: float(tokens[:4].mean()))
    agent = ReinforceAgent(maker.problem, seed=7)
    for _ in range(3):
        agent.learn(maker.play(agent, 4))
    saved = agent.state()
    twin = ReinforceAgent(maker.problem, seed=7)
    maker.play(twin, 3)  # an episode in flight that the restored state knows nothing of
    twin.load_state(saved)
    for _ in range(3):
        one, two = maker.play(agent, 4), maker.play(twin, 4)
        assert np.array_equal(one.tokens, two.tokens)
        assert agent.learn(one) == twin.learn(two)
    for a, b in zip(agent.controller.parameters(), twin.controller.parameters(), strict=True):
        assert torch.equal(a, b)


def test_state_of_another_agent_or_problem_or_setting_is_refused(game: Any, layout: Any) -> None:
    agent = ReinforceAgent(game(layout(4)).problem)
    with pytest.raises(CheckpointError, match="positions"):
        ReinforceAgent(game(layout(5)).problem).load_state(agent.state())
    with pytest.raises(CheckpointError, match="learning_rate"):
        ReinforceAgent(
            game(layout(4)).problem, settings=ReinforceSettings(learning_rate=1.0)
        ).load_state(agent.state())


def test_learns_the_best_options_of_a_trivial_space(game: Any, layout: Any) -> None:
    """Every option at 2: uniform play earns about .3, the optimum is 1."""
    maker = game(layout(1), lambda tokens: float((tokens == 2).mean()))
    agent = ReinforceAgent(maker.problem, seed=0, settings=ReinforceSettings(learning_rate=1e-2))
    for _ in range(120):
        agent.learn(maker.play(agent, 8))
    assert maker.play(agent, 50).rewards.mean() > 0.9


@pytest.mark.parametrize("wanted", [0, 1])
def test_learns_skip_bits(game: Any, layout: Any, wanted: int) -> None:
    """No layer connected, or every layer connected: uniform play earns .5."""
    maker = game(layout(4))
    bits = np.array([i for i, p in enumerate(maker.layout) if p.kind == "skip"])
    maker.reward = lambda tokens: float((tokens[bits] == wanted).mean())
    agent = ReinforceAgent(maker.problem, seed=0, settings=ReinforceSettings(learning_rate=1e-2))
    for _ in range(60):
        agent.learn(maker.play(agent, 8))
    assert maker.play(agent, 50).rewards.mean() > 0.9


def test_learns_without_a_layout(game: Any, layout: Any) -> None:
    maker = game(layout(2), lambda tokens: float((tokens == 1).mean()), with_layout=False)
    agent = ReinforceAgent(maker.problem, seed=0, settings=ReinforceSettings(learning_rate=1e-2))
    for _ in range(120):
        agent.learn(maker.play(agent, 8))
    assert maker.play(agent, 50).rewards.mean() > 0.9


def test_padding_of_shorter_episodes_has_no_entropy(game: Any) -> None:
    """The figure, and the bonus, are those of the tokens that were chosen."""
    maker = game((Position("a", (0, 1, 2)), Position("b", (0, 1, 2))))
    short = maker.play(ReinforceAgent(maker.problem, 3), 2, length=1)
    tokens = np.zeros((2, 2), np.int64)
    tokens[:, :1] = short.tokens
    padded = Batch(tokens, np.ones((2, 2, 3), bool), np.array([1, 1]), short.rewards)
    found = []
    for batch in (short, padded):
        settings = ReinforceSettings(entropy_coefficient=0.1, init_range=1.0)
        found.append(ReinforceAgent(maker.problem, 3, settings).learn(batch))
    assert found[0]["entropy"] == pytest.approx(found[1]["entropy"])
    assert found[0]["loss"] == pytest.approx(found[1]["loss"])
