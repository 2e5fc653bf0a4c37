"""When a search ends, and what a resume of one that had hardly begun finds."""

import itertools
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import agents
import nas_env
from agents.search import search
from agents.search.progress import Tally
from nas_env.errors import InvalidDatasetError

SPACE = nas_env.ChoiceSpace({"width": [8, 16, 32, 64], "size": [1, 3, 5]})


def environment(error: BaseException | None = None) -> nas_env.ArchitectureEnv:
    """Children worth their width, or an error in their place."""

    def worth(architecture: Any, seed: int) -> float:
        if error is not None:
            raise error
        return float(architecture["width"])

    return nas_env.ArchitectureEnv(SPACE, worth)


def test_a_run_that_is_resumed_without_its_data_stays_to_be_resumed(tmp_path: Path) -> None:
    """Also where its first update was never finished; a new run would leave no folder."""
    place: dict[str, Any] = {"children": 8, "run_dir": tmp_path / "run"}
    gone = InvalidDatasetError("the folder is not there")
    with pytest.raises(InvalidDatasetError):
        agents.run_search(environment(gone), "random", **place)
    assert not (tmp_path / "run").exists()
    with pytest.raises(KeyboardInterrupt):
        agents.run_search(environment(KeyboardInterrupt()), "random", **place)
    with pytest.raises(InvalidDatasetError):
        agents.run_search(environment(gone), "random", resume=True, **place)
    assert len(agents.run_search(environment(), "random", resume=True, **place).episodes) == 8


def test_a_budget_in_hours_is_of_all_resumes_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = itertools.count(0, 1000)  # each look at this clock takes so long
    monkeypatch.setattr(search, "Tally", partial(Tally, now=lambda: next(seconds)))
    agents.run_search(environment(), "random", children=8, run_dir=tmp_path)
    monkeypatch.setattr(search, "Tally", partial(Tally, now=lambda: 0.0))
    more: dict[str, Any] = {"run_dir": tmp_path, "resume": True, "children": 16}
    assert len(agents.run_search(environment(), "random", hours=0.1, **more).episodes) == 8
    assert len(agents.run_search(environment(), "random", hours=1000.0, **more).episodes) == 16


def test_a_budget_in_hours_stops_the_search() -> None:
    result = agents.run_search(environment(), "random", hours=0.2 / 3600)
    assert len(result.episodes) >= 8
    assert len(result.episodes) % 8 == 0
