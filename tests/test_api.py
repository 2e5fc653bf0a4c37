"""``nas_env.evaluate``: one architecture, measured as an environment measures it."""

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

import nas_env
from nas_env.errors import ConfigurationError, InvalidArchitectureError, StoreError
from nas_env.evaluation.store import EvaluationStore
from nas_env.space.choices import ChoiceArchitecture
from nas_env.space.conv_architecture import ConvArchitecture, Convolution

SMALL = ConvArchitecture((Convolution(3, 3, 8), Convolution(1, 1, 8, inputs=(0, 1))))
RECIPE = {"epochs": 1, "reward_epochs": 1, "train_images": 128, "valid_images": 64}


def test_an_architecture_or_its_json_gives_the_same_evaluation(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    first = nas_env.evaluate(SMALL, "digits", RECIPE, store=store)
    again = nas_env.evaluate(SMALL.to_json(), "digits", RECIPE, store=store)
    assert first.state == "complete"
    assert first.metric is not None and 0 <= first.metric <= 1
    assert (again.metric, again.cached, first.cached) == (first.metric, True, False)
    assert len(EvaluationStore(store)) == 1


@pytest.mark.slow
def test_it_equals_what_an_environment_measures_however_it_is_trained() -> None:
    env = gym.make("nas_env:NAS-Digits-v0", recipe=RECIPE, num_layers=2, max_layers=2)
    env.reset(seed=5)
    terminated, info = False, dict[str, Any]()
    while not terminated:
        _, _, terminated, _, info = env.step(0)
    for evaluator in ("local", "process"):
        evaluation = nas_env.evaluate(
            json.loads(info["architecture"]), "digits", RECIPE, seed=5, evaluator=evaluator
        )
        assert evaluation.metric == info["metric"]
    env.close()


def test_another_run_seed_trains_another_child() -> None:
    first, second = (nas_env.evaluate(SMALL, "digits", RECIPE, seed=seed) for seed in (0, 1))
    assert first.seed != second.seed


def test_a_users_function_measures_a_users_architecture() -> None:
    architecture = ChoiceArchitecture({"units": 8})
    evaluation = nas_env.evaluate(
        architecture,
        evaluator=lambda architecture, seed: architecture["units"] / 10,  # type: ignore[index]
    )
    assert (evaluation.metric, evaluation.metric_name) == (0.8, "metric")


def test_bad_arguments_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"kind 'choice'.*evaluator="):
        nas_env.evaluate(ChoiceArchitecture({"units": 8}))
    with pytest.raises(ConfigurationError, match="'local', 'process'"):
        nas_env.evaluate(SMALL, "digits", evaluator="proces")
    with pytest.raises(InvalidArchitectureError, match="got str"):
        nas_env.evaluate("small.json")  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="folder"):
        nas_env.evaluate(SMALL, "digits", store=tmp_path)
