import pytest

from scripts.benchmarks.search import SearchOptions, run


@pytest.mark.slow
def test_the_share_of_a_search_that_is_not_training_is_measured() -> None:
    figures = run(SearchOptions(children=6, children_per_update=2, workers=1))
    assert figures["updates"] == 2
    share = figures["share_of_training"]
    assert isinstance(share, float) and 0 < share < 1
