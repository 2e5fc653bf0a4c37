"""The statistics of a comparison, against figures worked out by hand."""

import ast
from pathlib import Path

import numpy as np
import pytest

import agents
from agents.comparison.statistics import Comparison, checkpoints_of, verdict
from agents.records.trace import Trace
from nas_env.errors import ConfigurationError


def trace(
    metrics: list[float],
    models: list[int] | None = None,
    agent: str = "a",
    seed: int = 0,
    metric_name: str = "accuracy",
) -> Trace:
    values = np.array(metrics, np.float64)
    numbers = np.arange(len(values)) if models is None else np.array(models)
    tokens = numbers[:, None].astype(np.int16)
    rewards = 80 / values**2 if metric_name == "perplexity" else values**3
    return Trace(agent, seed, numbers, values, rewards, np.ones(len(values)), tokens, metric_name)


def test_the_top_holds_unique_models() -> None:
    found = trace([0.5, 0.9, 0.9, 0.7, 0.8], [0, 1, 1, 2, 3])
    top = found.top_mean(2, [1, 2, 3, 4, 5])
    # One model; .5 and .9; the same model again; .9 and .7; .9 and .8.
    np.testing.assert_allclose(top, [np.nan, 0.7, 0.7, 0.8, 0.85])


def test_the_top_of_perplexities_are_the_lowest() -> None:
    found = trace([90.0, 70.0, 80.0], metric_name="perplexity")
    np.testing.assert_allclose(found.top_mean(2, [2, 3]), [80.0, 75.0])
    np.testing.assert_allclose(found.best_so_far([1, 2, 3]), [90.0, 70.0, 70.0])


def test_failed_children_count_as_children_and_as_nothing_else() -> None:
    found = trace([np.nan, 0.4, np.nan, 0.6])
    np.testing.assert_allclose(found.best_so_far([1, 2, 4]), [np.nan, 0.4, 0.6])
    np.testing.assert_allclose(found.top_mean(1, [1, 2, 4]), [np.nan, 0.4, 0.6])
    assert found.best_children([2, 4]).tolist() == [1, 3]


def test_the_best_child_is_the_earliest_of_equal_rewards() -> None:
    assert trace([0.1, 0.7, 0.7]).best_children([3]).tolist() == [1]


def test_checkpoints_end_with_the_budget() -> None:
    assert checkpoints_of(25, 10) == (10, 20, 25)
    assert checkpoints_of(5, 10) == (5,)


def test_the_verdict_names_the_first_number_of_children_from_which_it_holds() -> None:
    # Four pairs. Half widths: t(3) = 3.182446 times the standard error.
    differences = np.array(
        [
            [0.10, 0.00, 0.10, 0.20],
            [0.10, 0.02, 0.12, 0.22],
            [0.10, -0.02, 0.08, 0.18],
            [0.10, 0.00, 0.10, 0.20],
        ]
    )
    found = verdict(differences, (10, 20, 30, 40), lower_is_better=False)
    half = 3.182446 * np.std([0.2, 0.22, 0.18, 0.2], ddof=1) / 2
    assert found.mean == pytest.approx(0.2) and found.half_width == pytest.approx(half)
    assert found.since == 30  # it held at 10 as well, but not at 20
    assert "better from 30 children on" in found.text


def test_a_lower_perplexity_is_better() -> None:
    differences = np.array([[-5.0], [-6.0], [-5.5]])
    assert verdict(differences, (10,), lower_is_better=True).since == 10
    assert "worse" in verdict(-differences, (10,), lower_is_better=True).text


def test_a_budget_too_small_to_tell_says_so() -> None:
    found = verdict(np.array([[0.1], [-0.1], [0.05]]), (200,), lower_is_better=False)
    assert found.since is None
    assert found.text.startswith("200 children and 3 seeds are too few to tell")
    assert verdict(np.array([[0.1]]), (200,), False).text == "one seed cannot tell: run more"


def test_seeds_without_spread_prove_nothing() -> None:
    """Two equal differences are no more certain than one: their interval cannot be told."""
    for pairs in ([[0.1], [0.1]], [[0.3 - 0.1], [0.2], [0.1 + 0.1]]):
        found = verdict(np.array(pairs), (200,), lower_is_better=False)
        assert found.since is None and "seeds without spread cannot tell" in found.text
    assert verdict(np.zeros((4, 1)), (200,), lower_is_better=False).text == "equal in all 4 seeds"


def test_two_seeds_that_differ_a_little_prove_something() -> None:
    assert verdict(np.array([[0.10], [0.101]]), (200,), lower_is_better=False).since == 200


def test_seeds_are_paired_whatever_order_they_come_in() -> None:
    traces = [trace([0.1 * seed] * 4, agent=a, seed=seed) for a in "ab" for seed in (1, 2)]
    compared = Comparison([traces[1], traces[0], *traces[2:]], every=2)
    np.testing.assert_allclose(compared.best("a") - compared.best("b"), 0.0)
    np.testing.assert_allclose(compared.best("a")[:, 0], [0.1, 0.2])


@pytest.mark.parametrize(
    "other", [trace([0.1] * 4, agent="b", seed=1), trace([0.1] * 3, agent="b")]
)
def test_other_seeds_and_other_lengths_are_refused(other: Trace) -> None:
    with pytest.raises(ConfigurationError, match="same seeds and as many children"):
        Comparison([trace([0.1] * 4), other], every=2)


def test_a_seed_counts_once() -> None:
    with pytest.raises(ConfigurationError, match=r"counts once; a has the seeds \[0, 0\]"):
        Comparison([trace([0.1] * 4), trace([0.1] * 4)], every=2)


def test_no_module_of_agents_can_read_held_out_figures() -> None:
    root = Path(agents.__file__).parent
    # Above every search, a final measurement is one of them: tests/test_rooms.py lists the files.
    above = {path for room in ("commands", "finalise") for path in (root / room).rglob("*.py")}
    for path in set(root.rglob("*.py")) - above:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [getattr(node, "module", None) or "", *(a.name for a in node.names)]
                assert not any("held_out" in name for name in names), path
