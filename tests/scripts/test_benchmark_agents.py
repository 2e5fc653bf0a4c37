"""The agents' own cost is measured; how much it may be is judged by who runs the benchmark."""

from scripts.benchmarks.agents import AgentOptions, run


def test_every_agent_is_timed_on_8_children_of_20_layers() -> None:
    figures = run(AgentOptions(repeats=2, known=(30,)))
    assert (figures["layers"], figures["children"], figures["tokens"]) == (20, 8, 250)
    screening = ("screen", "gp", "hybrid")
    known = [f"{agent}, 30 known" for agent in screening]
    for agent in ("reinforce", "random", "evolution", *screening, *known):
        times = figures[agent]
        assert isinstance(times, dict)
        assert min(times["sample_ms"], times["learn_ms"]) >= 0
        assert times["update_ms"] == times["sample_ms"] + times["learn_ms"] > 0
