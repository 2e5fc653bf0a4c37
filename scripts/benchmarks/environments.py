"""What the environments cost by themselves: children are free here, so all time is overhead."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from nas_env.envs.architecture_env import ArchitectureEnv
from nas_env.envs.vector_env import ArchitectureVectorEnv
from nas_env.evaluation.evaluation import Evaluation, MetricName
from nas_env.space.choices import ChoiceSpace
from nas_env.space.conv import ConvSpace
from nas_env.space.layout import Architecture, SearchSpace


@dataclass(frozen=True)
class EnvironmentOptions:
    """Overhead per token of single environments, episodes per second of vector environments."""

    num_layers: int = 20
    """Layers of the networks written (a small space of six choices is timed as well)."""
    num_envs: tuple[int, ...] = (8, 64, 512)
    """Sizes of the vector environment."""
    seconds: float = 1.0
    """Time spent on each repeat of each figure."""
    repeats: int = 5
    """Repeats, of which the median is reported."""


class FreeEvaluator:
    """Knows every metric already, as a table would."""

    metric_name: MetricName = "accuracy"

    def __init__(self) -> None:
        self._known = Evaluation("{}", 0, "accuracy", 0.5, "complete")

    def evaluate(self, architectures: Sequence[Architecture], run_seed: int) -> list[Evaluation]:
        """The same metric for everything."""
        return [self._known] * len(architectures)

    def close(self) -> None:
        """Nothing to release."""


def run(options: EnvironmentOptions) -> dict[str, object]:
    """Time random episodes; choosing the tokens is not counted, resets are.

    Seconds are the processor's: on a busy machine they are the same.

    Returns:
        ``table``: episodes per second of ``NAS-Digits-Table-v0`` made by ``gym.make`` and by
        ``gym.make_vec``, every network looked up before, and sampled as tutorials do, most anew;
        ``single``: microseconds per token of the environment, and of what ``gym.make`` wraps around
        it with a callable evaluator; ``vector_M``: rates of M sub-environments, for networks of
        ``num_layers`` layers and for a space of 729 architectures.
    """
    deep = ConvSpace(options.num_layers, options.num_layers)
    small = ChoiceSpace({name: [1, 2, 3] for name in "abcdef"})
    depth: dict[str, Any] = {"num_layers": options.num_layers, "max_layers": options.num_layers}
    made = gym.make("nas_env:NAS-CIFAR10-v0", evaluator=lambda architecture, seed: 0.5, **depth)
    figures: dict[str, object] = {
        "single": {
            "us_per_token": 1e6 / _single(ArchitectureEnv(deep, FreeEvaluator()), deep, options),
            "us_per_token_gym_make": 1e6 / _single(made, deep, options),
        }
    }
    figures["table"] = _table(options)
    for count in options.num_envs:
        figures[f"vector_{count}"] = {
            "deep_tokens_per_s": _vector(deep, count, options),
            "small_tokens_per_s": _vector(small, count, options),
            "small_episodes_per_s": _vector(small, count, options) / small.length(),
        }
    return figures


def _table(options: EnvironmentOptions) -> dict[str, float]:
    """Episodes per second on the table that comes with the package."""
    env: Any = gym.make("nas_env:NAS-Digits-Table-v0")
    space = env.unwrapped.search_space
    known = [space.sample(np.random.default_rng(seed)) for seed in range(100)]
    seeds = iter(range(10**9))

    def look_up(sequences: Sequence[Sequence[int]]) -> int:
        for tokens in sequences:
            env.reset()
            for token in tokens:
                env.step(token)
        return len(sequences)

    def sample(seed: int) -> int:
        env.reset(seed=seed)  # of which no network was looked up
        for _ in range(100):
            terminated = False
            while not terminated:
                terminated = env.step(env.action_space.sample())[2]
            env.reset()
        return 100

    look_up(known)
    figures = {
        "known_episodes_per_s": _rate(lambda: known, look_up, options),
        "sampled_episodes_per_s": _rate(lambda: next(seeds), sample, options),
    }
    many: Any = gym.make_vec("nas_env:NAS-Digits-Table-v0", num_envs=64)
    return figures | {"vector_64_episodes_per_s": _rounds(many, space, options) / space.length()}


def _single(env: gym.Env[Any, Any], space: SearchSpace[Any], options: EnvironmentOptions) -> float:
    """Tokens per second of one environment."""
    rng = np.random.default_rng(0)

    def play(tokens: Sequence[int]) -> int:
        env.reset()
        for token in tokens:
            env.step(token)
        return len(tokens)

    return _rate(lambda: space.sample(rng), play, options)


def _vector(space: SearchSpace[Any], count: int, options: EnvironmentOptions) -> float:
    """Tokens per second of ``count`` sub-environments together."""
    return _rounds(ArchitectureVectorEnv(space, FreeEvaluator(), num_envs=count), space, options)


def _rounds(env: Any, space: SearchSpace[Any], options: EnvironmentOptions) -> float:
    """Tokens per second of a vector environment."""
    rng, count = np.random.default_rng(0), int(env.num_envs)
    env.reset()

    def play(columns: Any) -> int:  # (positions, num_envs)
        for tokens in columns:
            env.step(tokens)
        env.step(columns[0])  # NEXT_STEP: the step that starts the next episodes
        return int(columns.size)

    return _rate(lambda: space.sample_batch(rng, count)[:, : space.length()].T, play, options)


def _rate(
    prepare: Callable[[], Any], play: Callable[[Any], int], options: EnvironmentOptions
) -> float:
    """What ``play`` returns, per second of it; ``prepare`` makes its argument and is not timed."""
    rates = []
    for _ in range(options.repeats):
        done, spent = 0, 0.0
        while spent < options.seconds:
            argument = prepare()
            started = time.process_time()
            done += play(argument)
            spent += time.process_time() - started
        rates.append(done / spent)
    return statistics.median(rates)
