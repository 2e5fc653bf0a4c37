"""The controller: its steps, its probabilities, and that acting and learning see the same ones."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from agents.agent import Problem
from agents.reinforce.agent import ReinforceAgent
from agents.reinforce.controller import Controller, ControllerSizes
from agents.reinforce.plan import make_plan
from nas_env.space.cell import CellSpace
from nas_env.space.conv import ConvSpace
from nas_env.space.layer_types import LayerTypesSpace
from nas_env.space.layout import Layout, Position

LayoutMaker = Callable[[int], Layout]


def problem_of(layout: Layout) -> Problem:
    return Problem(len(layout), max(len(p.options) for p in layout), layout)


def test_a_20_layer_network_costs_80_steps(layout: LayoutMaker) -> None:
    plan = make_plan(problem_of(layout(20)))
    assert len(plan.steps) == 80
    assert len(plan.step_of) == 60 + 190
    assert len(plan.anchor_steps) == 20


def test_layers_share_one_softmax_per_kind(layout: LayoutMaker) -> None:
    plan = make_plan(problem_of(layout(5)))
    assert plan.head_options.tolist() == [4, 4, 3]


def test_without_a_layout_every_position_has_its_own_softmax() -> None:
    plan = make_plan(Problem(7, 3))
    assert plan.head_of.tolist() == list(range(7))
    assert len(plan.steps) == 7


def test_bits_written_before_their_source_fall_back_to_ordinary_decisions() -> None:
    layout = (
        Position("skip", (0, 1), "skip", 1, 2),
        Position("filters", (24, 36), layer=1),
        Position("filters", (24, 36), layer=2),
    )
    plan = make_plan(problem_of(layout))
    assert (plan.head_of >= 0).all()
    assert len(plan.anchor_steps) == 0


def test_a_shallower_network_takes_a_prefix_of_the_steps(layout: LayoutMaker) -> None:
    deep, shallow = make_plan(problem_of(layout(6))), make_plan(problem_of(layout(4)))
    assert deep.steps[: len(shallow.steps)] == shallow.steps


def test_first_weights_lie_within_the_range_and_fill_it(layout: LayoutMaker) -> None:
    controller = Controller(make_plan(problem_of(layout(4))), ControllerSizes(), seed=3)
    values = torch.cat([p.detach().flatten() for p in controller.parameters()])
    assert values.abs().max() <= 0.08
    assert values.std() == pytest.approx(0.08 / 3**0.5, rel=0.02)
    assert controller.lstm.hidden_size == 35
    assert controller.lstm.num_layers == 2


def test_skip_probability_starts_near_one_half(layout: LayoutMaker, game: Any) -> None:
    maker = game(layout(6))
    agent = ReinforceAgent(maker.problem, seed=0)
    position = next(i for i, p in enumerate(maker.layout) if p.kind == "skip")
    tokens = np.zeros((2, len(maker.layout)), np.int64)
    observations = maker.observe(tokens, np.full(2, position))
    assert agent.sampler.probabilities(observations)[:, 1] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("with_layout", [True, False])
@pytest.mark.parametrize("length_of", [5, 3])
def test_acting_and_learning_give_the_same_log_probabilities(
    layout: LayoutMaker, game: Any, with_layout: bool, length_of: int
) -> None:
    maker = game(layout(5), lambda tokens: float(tokens.sum()), with_layout)
    agent = ReinforceAgent(maker.problem, seed=1)
    length = len(layout(length_of))
    agent.learn(maker.play(agent, 4))  # away from the near-uniform start
    batch = maker.play(agent, 4, length)
    acted = np.zeros((4, length))
    agent.sampler.forget()
    for position in range(length):
        observations = maker.observe(_full(batch.tokens, maker), np.full(4, position))
        probabilities = agent.sampler.probabilities(observations)
        acted[:, position] = np.log(probabilities[np.arange(4), batch.tokens[:, position]])
    learned, _ = agent.controller(batch.tokens, batch.masks)
    np.testing.assert_allclose(learned.detach().numpy(), acted, rtol=0, atol=1e-12)


def test_rows_out_of_step_get_the_same_probabilities(layout: LayoutMaker, game: Any) -> None:
    maker = game(layout(4))
    agent = ReinforceAgent(maker.problem, seed=1)
    tokens = maker.play(agent, 3).tokens
    positions = np.array([2, 9, 5])
    mixed = agent.sampler.probabilities(maker.observe(tokens, positions))
    for row, position in enumerate(positions):
        agent.sampler.forget()
        alone = agent.sampler.probabilities(maker.observe(tokens, np.full(3, position)))
        np.testing.assert_allclose(mixed[row], alone[row], rtol=0, atol=1e-13)


def test_masked_options_have_probability_zero_in_both_passes(
    layout: LayoutMaker, game: Any
) -> None:
    maker = game(layout(3))
    agent = ReinforceAgent(maker.problem, seed=1)
    batch = maker.play(agent, 2)
    masks = batch.masks.copy()
    masks[:, :, 1] = False  # every position keeps 0 and, for options, 2 and 3
    tokens = np.zeros_like(batch.tokens)
    log_p, entropies = agent.controller(tokens, masks)
    bits = np.array([p.kind == "skip" for p in maker.layout])
    assert (log_p.detach().numpy()[:, bits] == 0).all(), "a forced bit costs nothing"
    assert (entropies.detach().numpy()[:, bits] == 0).all()
    observations = maker.observe(tokens, np.zeros(2, np.int64))
    observations["action_mask"][:, 1] = 0
    assert (agent.sampler.probabilities(observations)[:, 1] == 0).all()
    (log_p.sum() + entropies.sum()).backward()
    for parameter in agent.controller.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()


def test_probabilities_of_all_architectures_sum_to_one(game: Any) -> None:
    layout = (
        Position("filters", (24, 36, 48), layer=1),
        Position("filters", (24, 36, 48), layer=2),
        Position("skip", (0, 1), "skip", 2, 1),
    )
    maker = game(layout)
    agent = ReinforceAgent(maker.problem, seed=5)
    tokens = np.array([[a, b, c] for a in range(3) for b in range(3) for c in range(2)])
    masks = np.stack([maker.mask(p) for p in range(3)])[None].repeat(len(tokens), axis=0)
    log_p, _ = agent.controller(tokens, masks)
    assert log_p.sum(dim=1).exp().sum().item() == pytest.approx(1.0, abs=1e-12)


def test_a_bit_depends_on_both_anchors_as_the_attention_says(game: Any, layout: Any) -> None:
    """P = sigmoid(v^T tanh(W_prev h_j + W_curr h_i)), with the states read from the LSTM."""
    maker = game(layout(3))
    agent = ReinforceAgent(maker.problem, seed=2)
    batch = maker.play(agent, 1)
    controller, plan = agent.controller, agent.controller.plan
    chosen = torch.from_numpy(batch.tokens)
    states = controller._hidden_states(chosen)[0]
    anchors = states[torch.from_numpy(plan.anchor_steps)]
    position = len(maker.layout) - 1  # layer 3 from layer 2
    inner = controller.attention_previous @ anchors[1] + controller.attention_current @ anchors[2]
    by_hand = torch.sigmoid(controller.attention_vector @ torch.tanh(inner)).item()
    logits = controller.logits(chosen)[0, position]
    assert torch.softmax(logits, dim=0)[1].item() == pytest.approx(by_hand, abs=1e-14)


def test_the_next_layer_sees_the_bits_of_the_anchor(game: Any, layout: Any) -> None:
    maker = game(layout(3))
    agent = ReinforceAgent(maker.problem, seed=2)
    tokens = np.zeros((2, len(maker.layout)), np.int64)
    tokens[1, 6] = 1  # the bit of layer 2
    assert maker.layout[6].kind == "skip"
    probabilities = agent.sampler.probabilities(maker.observe(tokens, np.full(2, 7)))
    assert not np.allclose(probabilities[0], probabilities[1], atol=1e-9)


def _full(tokens: np.ndarray[Any, Any], maker: Any) -> np.ndarray[Any, Any]:
    full = np.zeros((len(tokens), len(maker.layout)), np.int64)
    full[:, : tokens.shape[1]] = tokens
    return full


@pytest.mark.parametrize(
    ("space", "steps", "heads"),
    [
        (ConvSpace(20, 20), 80, 3),
        (ConvSpace(13, 13, block_size=3, pool_after=(4, 8)), 52, 3),
        (ConvSpace(6, 6, strides=(1, 2, 3)), 36, 5),
        (ConvSpace(6, 6, skip_connections=False), 18, 3),
        (LayerTypesSpace(6, 6), 1 + 6 * 9, 9),
        (CellSpace(base_number=8), 34, 6),
    ],
    ids=["conv", "pooling", "strides", "chain", "layer types", "cell"],
)
def test_steps_of_the_papers_search_spaces(space: Any, steps: int, heads: int) -> None:
    plan = make_plan(problem_of(space.layout))
    assert len(plan.steps) == steps
    assert len(plan.head_options) == heads
