"""The benchmark of the executors runs and measures what it says."""

from typing import Any

from scripts.benchmarks.executors import OverheadOptions, run_overhead


def test_overhead_is_measured_and_far_below_a_training() -> None:
    figures: dict[str, Any] = run_overhead(OverheadOptions(children=50))
    assert 0 < figures["round_trip_ms"] < 200
    assert 0 < figures["commit_ms_median"] <= figures["commit_ms_99_percent"]
