"""The agents' own cost is measured; how much it may be is judged by who runs the benchmark."""

from scripts.benchmarks.agents import AgentOptions, run


def test_every_agent_is_timed_on_8_children_of_20_layers() -> None:
    figures = run(AgentOptions(repeats=3))
    assert (figures["layers"], figures["children"], figures["tokens"]) == (20, 8, 250)
    for agent in ("reinforce", "random", "evolution"):
        times = figures[agent]
        assert isinstance(times, dict)
        assert min(times["sample_ms"], times["learn_ms"]) >= 0
        assert times["update_ms"] == times["sample_ms"] + times["learn_ms"] > 0
