from typing import Any

from scripts.benchmarks.environments import EnvironmentOptions, run


def test_environments_cost_less_than_fifty_microseconds_a_token() -> None:
    options = EnvironmentOptions(num_layers=6, num_envs=(64,), seconds=0.05, repeats=3)
    figures: dict[str, Any] = run(options)
    assert figures["single"]["us_per_token"] < 50
    assert figures["vector_64"]["small_episodes_per_s"] > 5000  # 30,000 on a quiet machine
