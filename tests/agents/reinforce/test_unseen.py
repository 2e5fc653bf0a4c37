"""Sampling without replacement: the conditional distribution, and that nothing is written twice."""

from collections import Counter
from dataclasses import replace
from itertools import permutations, product
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from scipy.stats import chisquare

import agents
import nas_env
from agents.agent import Batch
from agents.reinforce import unseen
from agents.reinforce.agent import ReinforceAgent
from agents.reinforce.settings import ReinforceSettings
from nas_env.errors import CheckpointError
from nas_env.space.layer_types import LayerTypesSpace
from nas_env.space.layout import Position

LAYOUT = (Position("a", (0, 1, 2), layer=1), Position("b", (0, 1), layer=1))
ALL = [list(tokens) for tokens in product(range(3), range(2))]


def batch_of(game: Any, sequences: list[list[int]]) -> Batch:
    masks = np.stack([game.mask(position) for position in range(len(game.layout))])
    tokens = np.array(sequences)
    masks = np.repeat(masks[None], len(tokens), axis=0)
    return Batch(tokens, masks, np.full(len(tokens), tokens.shape[1]), np.zeros(len(tokens)))


def agent_of(game: Any, seed: int = 1, **settings: Any) -> ReinforceAgent:
    return ReinforceAgent(game.problem, seed, ReinforceSettings(avoid_repeats=True, **settings))


def wide(game: Any, seed: int, known: list[list[int]], heavy: list[int]) -> ReinforceAgent:
    """An agent far from uniform, so that a wrong formula shows; what it knows and leaves out."""
    agent = agent_of(game, seed)
    source = ReinforceAgent(game.problem, 3, ReinforceSettings(init_range=1.0))
    agent.controller.load_state_dict(source.controller.state_dict())
    assert agent.unseen is not None
    if known:
        agent.unseen.add(batch_of(game, known))
        agent.unseen.heavy = heavy
    return agent


def probability(agent: ReinforceAgent, batch: Batch) -> Any:
    with torch.no_grad():
        return agent.controller(batch.tokens, batch.masks)[0].sum(dim=1).exp().numpy()


KNOWN: list[tuple[list[list[int]], list[int]]] = [
    ([], []),
    ([[0, 0]], [0]),
    ([[0, 1], [2, 0], [2, 1]], [1]),
    ([[0, 1], [2, 0], [2, 1], [1, 1]], []),
]


@pytest.mark.parametrize("publishes", [True, False])
@pytest.mark.parametrize(("known", "heavy"), KNOWN)
def test_a_new_sequence_is_as_likely_as_the_policy_makes_it_among_the_new(
    game: Any, known: list[list[int]], heavy: list[int], publishes: bool
) -> None:
    """P(s) / (1 - P(known)), by chi-square over 400 episodes with seeds that are fixed."""
    maker = game(LAYOUT, publishes=publishes)
    agent = wide(maker, 12, known, heavy)
    count = Counter[tuple[int, ...]]()
    assert agent.unseen is not None
    for _ in range(400):
        agent.unseen.forget(2)
        count[tuple(maker.play(agent, 1).tokens[0].tolist())] += 1
    new = [row for row in ALL if row not in known]
    assert sum(count[tuple(row)] for row in new) == 400
    p = probability(agent, batch_of(maker, new))
    found = [count[tuple(row)] for row in new]
    assert chisquare(found, 400 * p / p.sum()).pvalue > 0.01


def test_siblings_are_drawn_one_after_another_from_what_is_left(game: Any) -> None:
    """P(first) P(second) / (1 - P(known) - P(first)), over all ordered pairs."""
    maker = game(LAYOUT, publishes=True)
    known = [[0, 1], [2, 0]]
    agent = wide(maker, 5, known, [0])
    count = Counter[tuple[Any, ...]]()
    assert agent.unseen is not None
    for _ in range(400):
        agent.unseen.forget(2)
        count[tuple(map(tuple, maker.play(agent, 2).tokens.tolist()))] += 1
    new = [tuple(row) for row in ALL if row not in known]
    p = probability(agent, batch_of(maker, [list(row) for row in new]))
    p = dict(zip(new, p / p.sum(), strict=True))
    pairs = list(permutations(new, 2))
    expected = [400 * p[one] * p[two] / (1 - p[one]) for one, two in pairs]
    assert chisquare([count[pair] for pair in pairs], expected).pvalue > 0.01


@pytest.mark.parametrize("publishes", [True, False])
def test_every_member_is_written_once_before_any_is_written_twice(
    game: Any, publishes: bool
) -> None:
    maker = game(LAYOUT, publishes=publishes)
    agent = agent_of(maker)
    written, repeats = [], []
    for _ in range(6):
        batch = maker.play(agent, 1)
        repeats.append(agent.learn(batch)["repeats"])
        written += batch.tokens.tolist()
    assert sorted(written) == sorted(ALL)
    assert repeats == [0.0] * 6
    assert agent.learn(maker.play(agent, 2))["repeats"] == 2.0  # all are known: no error
    assert agent.unseen is not None
    assert len(agent.unseen.known) == 6


@pytest.mark.parametrize("m", [4, 5])
def test_a_batch_that_ends_the_space_holds_the_rest_of_it_once(game: Any, m: int) -> None:
    maker = game(LAYOUT, publishes=True)
    agent = agent_of(maker)
    written = []
    for _ in range(2):
        batch = maker.play(agent, m)
        agent.learn(batch)
        written += batch.tokens.tolist()
    assert sorted(written[:6]) == sorted(ALL)


def test_a_policy_that_has_decided_still_writes_what_is_new(game: Any) -> None:
    """The member it wants has all but 1e-43 of the probability."""
    maker = game(LAYOUT, publishes=True)
    agent = agent_of(maker)
    with torch.no_grad():
        agent.controller.head_bias[:, 0] += 100.0
    written, left_out = [], []
    for _ in range(6):
        batch = maker.play(agent, 1)
        left_out.append(agent.learn(batch)["left_out"])
        written += batch.tokens.tolist()
    assert written[0] == [0, 0] and sorted(written) == sorted(ALL)
    assert left_out[0] == pytest.approx(1.0)


def test_a_shorter_known_network_does_not_forbid_a_deeper_one(game: Any, layout: Any) -> None:
    """Depth schedules: three tokens are the whole of a known network, or the start of a new one."""
    maker = game(layout(2), publishes=True)
    agent = agent_of(maker)
    for _ in range(2):
        agent.learn(maker.play(agent, 8, length=3))
    deep = []
    for _ in range(2):
        batch = maker.play(agent, 8)
        assert batch.tokens.shape == (8, 7)
        agent.learn(batch)
        deep += batch.tokens.tolist()
    assert len({tuple(row) for row in deep}) == 16


class Spy(gym.Wrapper[Any, Any, Any, Any]):
    """Somebody's own rule: it is played one episode after another."""


def worth(architecture: Any, seed: int) -> float:
    return float(architecture["width"] * architecture["size"])


def test_side_by_side_or_one_after_another_the_episodes_are_the_same() -> None:
    space = nas_env.ChoiceSpace({"width": [8, 16, 32, 64], "size": [1, 3, 5], "depth": [1, 2, 3]})

    def tokens(env: Any) -> list[tuple[int, ...]]:
        result = agents.run_search(env, "reinforce", 32, 8, avoid_repeats=True, learning_rate=0.1)
        return [episode.tokens for episode in result.episodes]

    ours = tokens(nas_env.ArchitectureEnv(space, worth))
    assert len(set(ours)) == 32
    assert tokens(Spy(nas_env.ArchitectureEnv(space, worth))) == ours
    rows = [lambda: Spy(nas_env.ArchitectureEnv(space, worth))] * 4
    assert len(set(tokens(gym.vector.SyncVectorEnv(rows)))) == 32  # no layout: another policy


@pytest.mark.parametrize("publishes", [True, False])
def test_masks_that_depend_on_earlier_tokens_are_kept(publishes: bool) -> None:
    """A space whose layers have other options after a pooling; nothing invalid, nothing twice."""
    space = LayerTypesSpace(num_layers=2, max_layers=2)

    class Unpublished(gym.Wrapper[Any, Any, Any, Any]):
        @property
        def unwrapped(self) -> Any:
            return self

    env: Any = nas_env.ArchitectureEnv(space, lambda architecture, seed: 0.5)
    env = env if publishes else Unpublished(env)
    result = agents.run_search(env, "reinforce", 64, 8, avoid_repeats=True, learning_rate=0.1)
    assert len({episode.tokens for episode in result.episodes}) == 64


def test_an_environment_that_does_otherwise_than_it_publishes_is_still_played(game: Any) -> None:
    """What is shown counts: the masks in the observations forbid what the problem allows."""
    maker = game(LAYOUT, publishes=True)
    all_valid = replace(maker.problem, masks=lambda tokens, at: np.ones((len(at), 3), np.bool_))
    agent = ReinforceAgent(all_valid, 2, ReinforceSettings(avoid_repeats=True))
    written = []
    for _ in range(6):
        batch = maker.play(agent, 1)  # fails on a token that is not valid
        agent.learn(batch)
        written += batch.tokens.tolist()
    assert len(written) == 6


def continued(maker: Any, agent: ReinforceAgent, twin: ReinforceAgent) -> None:
    for _ in range(3):
        one, two = maker.play(agent, 4), maker.play(twin, 4)
        assert np.array_equal(one.tokens, two.tokens)
        assert agent.learn(one) == twin.learn(two)
    first, second = agent.state(), twin.state()
    assert first.values == second.values and first.arrays.keys() == second.arrays.keys()
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, second.arrays[name], err_msg=name)


@pytest.mark.parametrize("publishes", [True, False])
def test_a_search_without_repeats_continues_bit_for_bit(
    game: Any, layout: Any, publishes: bool
) -> None:
    maker = game(layout(2), lambda tokens: float(tokens.mean()), publishes=publishes)
    agent = agent_of(maker, learning_rate=1e-1, elite_size=4)
    for _ in range(40):  # until the policy has known ones to leave out
        agent.learn(maker.play(agent, 4))
    assert agent.unseen is not None
    assert agent.unseen.heavy or not publishes
    twin = agent_of(maker, learning_rate=1e-1, elite_size=4)
    maker.play(twin, 3)  # in flight when it was killed: the restored agent knows nothing of it
    twin.load_state(agent.state())
    continued(maker, agent, twin)


def test_a_checkpoint_of_earlier_versions_is_read(game: Any) -> None:
    maker = game(LAYOUT, publishes=True)
    agent = agent_of(maker)
    known = []
    for _ in range(2):
        known.append(maker.play(agent, 1))
        agent.learn(known[-1])
    state = agent.state()
    for name in ("known", "heavy"):
        del state.arrays[name]
    for name in ("tokens", "masks", "lengths"):
        both = [getattr(batch, name) for batch in known]
        state.arrays[f"known.{name}"] = np.concatenate(both)
    twin = agent_of(maker)
    twin.load_state(state)
    written = known[0].tokens.tolist() + known[1].tokens.tolist()
    assert sorted([*written, *maker.play(twin, 4).tokens.tolist()]) == sorted(ALL)
    del state.arrays["known.lengths"]
    with pytest.raises(CheckpointError, match=r"known\.lengths"):
        twin.load_state(state)


def test_the_paper_may_repeat_itself(game: Any) -> None:
    agent = ReinforceAgent(game(LAYOUT).problem)
    assert not agent.settings.avoid_repeats
    assert "longest" not in agent.state().values
    assert not any(name.startswith("known") for name in agent.state().arrays)
    assert "repeats" not in agent.learn(game(LAYOUT).play(agent, 2))


@pytest.mark.parametrize("seed", [0, 1])
def test_an_update_costs_what_it_meets_and_not_what_is_known(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """An open policy never looks at all that is known."""

    def never(self: Any, length: int, out: Any) -> None:
        raise AssertionError("everything known was looked at")

    monkeypatch.setattr(unseen.Unseen, "_complete", never)
    space = nas_env.ChoiceSpace({f"choice {n}": [0, 1, 2, 3] for n in range(10)})
    env = nas_env.ArchitectureEnv(space, lambda architecture, seed: 0.5)
    result = agents.run_search(env, "reinforce", 400, 8, seed, avoid_repeats=True)
    assert len({episode.tokens for episode in result.episodes}) == 400


@pytest.mark.slow
def test_no_repeats_among_2000_children_of_the_shipped_table() -> None:
    result = agents.run_search("NAS-Digits-Table-v0", "reinforce", 2000)
    assert len({episode.tokens for episode in result.episodes}) == 2000


def test_a_batch_of_which_nothing_was_learned_may_be_written_again(game: Any) -> None:
    """No child had a reward: who goes on, and who resumes, go on alike."""
    maker = game(LAYOUT, publishes=True)
    agent, twin = agent_of(maker), agent_of(maker)
    agent.learn(maker.play(agent, 1))
    maker.play(agent, 5)
    twin.load_state(agent.state())
    one, two = maker.play(agent, 5), maker.play(twin, 5)
    assert one.tokens.tolist() == two.tokens.tolist()
    assert len({tuple(row) for row in one.tokens.tolist()}) == 5
