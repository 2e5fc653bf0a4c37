"""Intervals of fewer resampled networks than a real table has: as true, in a fifth of the time."""

import pytest

from agents.ranking import statistics


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 400)
