"""What the agents cost: sampling and learning from one batch, with no environment and no child."""

import statistics
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.agent import Agent, Batch, Problem
from agents.registry import AGENTS, make_agent
from agents.screening.planning import PlanningAgent
from nas_env.space.conv import ConvSpace


@dataclass(frozen=True)
class AgentOptions:
    """Time to sample, and to learn from, one batch of architectures, for each agent."""

    num_layers: int = 20
    """Layers of the networks written."""
    children: int = 8
    """Architectures of a batch."""
    repeats: int = 15
    """Batches, of which the median is reported."""
    known: tuple[int, ...] = (1000, 5000)
    """Architectures that an agent which remembers them all knows beforehand; 0 is measured too."""


def run(options: AgentOptions) -> dict[str, object]:
    """Time every agent on one torch thread.

    Returns:
        For each agent milliseconds of processor time to sample a batch, to learn from it, and both;
        of an agent that remembers what it played, also with so many known architectures.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        space = ConvSpace(options.num_layers, options.num_layers)
        figures: dict[str, object] = {
            "layers": options.num_layers,
            "tokens": len(space.layout),
            "children": options.children,
            **{name: _time_agent(name, space, options) for name in AGENTS},
        }
        for name in (name for name in AGENTS if _remembers(name, space)):
            for known in options.known:
                figures[f"{name}, {known} known"] = _time_agent(name, space, options, known)
        return figures
    finally:
        torch.set_num_threads(threads)


def _problem(space: ConvSpace) -> Problem:
    return Problem(len(space.layout), space.max_options, space.layout)


def _remembers(name: str, space: ConvSpace) -> bool:
    return isinstance(make_agent(name, _problem(space)), PlanningAgent)


def _time_agent(
    name: str, space: ConvSpace, options: AgentOptions, known: int = 0
) -> dict[str, float]:
    small = {"population": options.children, "tournament": 1} if name == "evolution" else {}
    agent = make_agent(name, _problem(space), 0, small)
    if known and isinstance(agent, PlanningAgent):
        agent.history.add(_batch(space.sample_batch(np.random.default_rng(0), known), space))
    sample_ms, learn_ms = [], []
    for _ in range(options.repeats + 1):  # the first warms up
        start = time.process_time()
        tokens = _write(agent, space, options.children)
        written = time.process_time()
        batch = _batch(tokens, space)
        learning = time.process_time()
        agent.learn(batch)
        sample_ms.append(1e3 * (written - start))
        learn_ms.append(1e3 * (time.process_time() - learning))
    sampling, learned = statistics.median(sample_ms[1:]), statistics.median(learn_ms[1:])
    return {"sample_ms": sampling, "learn_ms": learned, "update_ms": sampling + learned}


def _write(agent: Agent, space: ConvSpace, children: int) -> NDArray[np.int64]:
    """(children, positions) token sequences, sampled in lockstep."""
    written = np.zeros((children, len(space.layout)), np.int64)  # token + 1
    for position in range(len(space.layout)):
        mask = np.repeat(space.static_masks[position][None], children, axis=0)
        observations = {
            "tokens": written,
            "position": np.full(children, position),
            "remaining": np.full(children, len(space.layout) - position),
            "action_mask": mask.astype(np.int8),
        }
        written[:, position] = agent.act(observations) + 1
    return written - 1


def _batch(tokens: NDArray[np.int64], space: ConvSpace) -> Batch:
    children, length = tokens.shape
    masks = np.repeat(space.static_masks[None, :length], children, axis=0)
    rewards = np.random.default_rng(int(tokens.sum())).random((children,))
    return Batch(tokens, masks, np.full(children, length), rewards)
