"""The agents' own cost, and its limit."""

from scripts.benchmarks.agents import AgentOptions, run


def test_sampling_and_learning_from_8_children_of_20_layers_takes_under_250_ms() -> None:
    figures = run(AgentOptions(repeats=3))
    assert (figures["layers"], figures["children"], figures["tokens"]) == (20, 8, 250)
    for agent in ("reinforce", "random", "evolution"):
        times = figures[agent]
        assert isinstance(times, dict)
        assert 0 < times["update_ms"] < 250
