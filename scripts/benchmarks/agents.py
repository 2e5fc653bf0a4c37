"""What the agents cost: sampling and learning from one batch, with no environment and no child."""

import statistics
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.agent import Agent, Batch, Problem
from agents.registry import AGENTS, make_agent
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


def run(options: AgentOptions) -> dict[str, object]:
    """Time every agent on one torch thread.

    Returns:
        For each agent milliseconds of processor time to sample a batch, to learn from it, and both.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        space = ConvSpace(options.num_layers, options.num_layers)
        return {
            "layers": options.num_layers,
            "tokens": len(space.layout),
            "children": options.children,
            **{name: _time_agent(name, space, options) for name in AGENTS},
        }
    finally:
        torch.set_num_threads(threads)


def _time_agent(name: str, space: ConvSpace, options: AgentOptions) -> dict[str, float]:
    problem = Problem(len(space.layout), space.max_options, space.layout)
    small = {"population": options.children, "tournament": 1} if name == "evolution" else {}
    agent = make_agent(name, problem, 0, small)
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
