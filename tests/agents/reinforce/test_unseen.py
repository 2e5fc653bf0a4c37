"""Sampling without replacement: the probabilities by hand, and that nothing is written twice."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from agents.agent import Batch
from agents.reinforce.agent import ReinforceAgent
from agents.reinforce.controller import Controller, ControllerSizes
from agents.reinforce.plan import make_plan
from agents.reinforce.settings import ReinforceSettings
from agents.reinforce.unseen import Unseen
from nas_env.errors import CheckpointError
from nas_env.space.layout import Position

LAYOUT = (Position("a", (0, 1, 2), layer=1), Position("b", (0, 1), layer=1))
ALL = [list(tokens) for tokens in product(range(3), range(2))]


def batch_of(game: Any, sequences: list[list[int]]) -> Batch:
    masks = np.stack([game.mask(position) for position in range(len(game.layout))])
    tokens = np.array(sequences)
    masks = np.repeat(masks[None], len(tokens), axis=0)
    return Batch(tokens, masks, np.full(len(tokens), tokens.shape[1]), np.zeros(len(tokens)))


def wide_controller(game: Any) -> Controller:
    """Far from uniform, so that a wrong formula shows."""
    return Controller(make_plan(game.problem), ControllerSizes(init_range=1.0), seed=3)


def sequence_probability(controller: Controller, batch: Batch) -> Any:
    with torch.no_grad():
        return controller(batch.tokens, batch.masks)[0].sum(dim=1).exp().numpy()


@pytest.mark.parametrize("known", [[], [[0, 0]], [[0, 1], [2, 0], [2, 1]]])
def test_a_new_sequence_has_its_probability_given_that_it_is_new(
    game: Any, known: list[list[int]]
) -> None:
    """P(s) / (1 - P(known)) for a new s, 0 for a known one: products of the draws' weights."""
    maker = game(LAYOUT)
    controller = wide_controller(maker)
    unseen = Unseen(controller)
    if known:
        unseen.add(batch_of(maker, known))
    everything = batch_of(maker, ALL)
    p = sequence_probability(controller, everything)
    new = np.array([row not in known for row in ALL])
    drawn = []
    for row in ALL:
        chance = 1.0
        with torch.no_grad():
            logits = controller.logits(torch.tensor([row]))[0].softmax(dim=1).numpy()
        for position, token in enumerate(row):
            weights = unseen.weights(np.array(row[:position], np.int64), logits[position])
            chance *= weights[token] / weights.sum()
        drawn.append(chance)
    expected = np.where(new, p, 0.0) / p[new].sum()
    np.testing.assert_allclose(drawn, expected, atol=1e-9)


def test_probabilities_follow_the_weights_as_they_learn(game: Any) -> None:
    maker = game(LAYOUT)
    controller = wide_controller(maker)
    unseen = Unseen(controller)
    known = batch_of(maker, [[0, 0], [1, 1]])
    unseen.add(known)
    unseen.weights(np.zeros(0, np.int64), np.full(3, 1 / 3))
    with torch.no_grad():
        controller.head_bias[0, 0] += 2.0
    unseen.add(known)  # after an update
    first = controller.logits(torch.tensor([[0, 0]]))[0, 0].softmax(dim=0).detach().numpy()
    left = first - unseen.weights(np.zeros(0, np.int64), first)
    p = sequence_probability(controller, known)
    np.testing.assert_allclose(left, [p[0], p[1], 0.0], atol=1e-12)


def agent_of(game: Any, **settings: Any) -> ReinforceAgent:
    return ReinforceAgent(
        game.problem, seed=1, settings=ReinforceSettings(avoid_repeats=True, **settings)
    )


def test_every_member_is_written_once_before_any_is_written_twice(game: Any) -> None:
    maker = game(LAYOUT)
    agent = agent_of(maker)
    written = []
    for _ in range(6):
        batch = maker.play(agent, 1)
        agent.learn(batch)
        written += batch.tokens.tolist()
    assert sorted(written) == sorted(ALL)
    agent.learn(maker.play(agent, 1))  # all are known: a repeat, no error
    assert agent.unseen is not None
    assert len(agent.unseen.known.sequences) == 6


def test_children_of_one_batch_differ_where_the_last_token_can_tell_them_apart(game: Any) -> None:
    """The last of 40 options decides: 8 children of one batch never need to be equal."""
    maker = game((Position("a", (0,)), Position("b", tuple(range(40)))))
    agent = agent_of(maker)
    for _ in range(4):
        batch = maker.play(agent, 8)
        agent.learn(batch)
    assert agent.unseen is not None
    assert len(agent.unseen.known.sequences) == 32


def test_a_search_without_repeats_continues_bit_for_bit(game: Any, layout: Any) -> None:
    maker = game(layout(2), lambda tokens: float(tokens.mean()))
    agent = agent_of(maker, learning_rate=1e-2, elite_size=4)
    for _ in range(3):
        agent.learn(maker.play(agent, 4))
    twin = agent_of(maker, learning_rate=1e-2, elite_size=4)
    maker.play(twin, 3)  # in flight when it was killed: the restored agent knows nothing of it
    twin.load_state(agent.state())
    for _ in range(3):
        one, two = maker.play(agent, 4), maker.play(twin, 4)
        assert np.array_equal(one.tokens, two.tokens)
        assert agent.learn(one) == twin.learn(two)
    first, second = agent.state(), twin.state()
    assert first.values == second.values and first.arrays.keys() == second.arrays.keys()
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, second.arrays[name], err_msg=name)


def test_a_checkpoint_of_earlier_versions_which_kept_rewards_is_read(game: Any) -> None:
    maker = game(LAYOUT)
    agent = agent_of(maker)
    for _ in range(2):
        agent.learn(maker.play(agent, 1))
    state = agent.state()
    state.arrays["known.rewards"] = np.array([0.5, 0.25])
    twin = agent_of(maker)
    twin.load_state(state)
    assert twin.unseen is not None and agent.unseen is not None
    assert twin.unseen.known.sequences.keys() == agent.unseen.known.sequences.keys()
    del state.arrays["known.lengths"]
    with pytest.raises(CheckpointError, match=r"known\.lengths"):
        twin.load_state(state)


def test_the_paper_may_repeat_itself(game: Any) -> None:
    agent = ReinforceAgent(game(LAYOUT).problem)
    assert not agent.settings.avoid_repeats
    assert "longest" not in agent.state().values
    assert not any(name.startswith("known") for name in agent.state().arrays)


def test_a_policy_that_has_decided_repeats_itself(game: Any) -> None:
    maker = game(LAYOUT)
    agent = agent_of(maker)
    with torch.no_grad():
        agent.controller.head_bias[:, 0] += 100.0
    for _ in range(2):
        batch = maker.play(agent, 1)
        agent.learn(batch)
    assert batch.tokens.tolist() == [[0, 0]]


def test_a_shorter_known_network_does_not_forbid_a_deeper_one(game: Any, layout: Any) -> None:
    """Depth schedules: three tokens are the whole of a known network, or the start of a new one."""
    maker = game(layout(2))
    agent = agent_of(maker)
    for _ in range(2):
        agent.learn(maker.play(agent, 8, length=3))
    agent.learn(maker.play(agent, 8))
    batch = maker.play(agent, 8)
    assert batch.tokens.shape == (8, 7)
    agent.learn(batch)
    assert agent.unseen is not None
    deep = [tokens for tokens in agent.unseen.known.sequences if len(tokens) == 7]
    assert len(deep) == 16
