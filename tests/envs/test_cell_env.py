from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from nas_env import published
from nas_env.envs.cell_env import CellEnv, CellVectorEnv
from nas_env.errors import ConfigurationError, DatasetNotFoundError
from nas_env.space.layout import Architecture


def play(env: gym.Env[Any, Any], tokens: tuple[int, ...]) -> tuple[float, dict[str, Any]]:
    env.reset(seed=0)
    for token in tokens:
        _, reward, _, _, info = env.step(token)
    return float(reward), info


@pytest.mark.parametrize(
    ("env_id", "size"),
    [
        ("NAS-PTB-v0", 63_331_869_759_897_600),
        ("NAS-PyDocs-v0", 63_331_869_759_897_600),
        ("NAS-PTB-MaxSin-v0", 15**16 * 15**2),
    ],
)
def test_the_spaces_are_the_papers(env_id: str, size: int) -> None:
    space = gym.make(env_id).unwrapped.search_space  # type: ignore[attr-defined]
    assert (space.size, space.length(), space.max_options) == (size, 34, 15)


@pytest.mark.parametrize(
    ("env_id", "cell"),
    [("NAS-PTB-v0", published.NAS_CELL), ("NAS-PTB-MaxSin-v0", published.MAX_SIN_CELL)],
)
def test_the_papers_cell_can_be_written(env_id: str, cell: Architecture) -> None:
    seen: list[Any] = []

    def measure(architecture: Any, seed: int) -> float:
        seen.append(architecture)
        return 80.0

    env = gym.make(env_id, evaluator=measure)
    tokens = env.unwrapped.search_space.encode(cell)  # type: ignore[attr-defined]
    assert play(env, tokens)[0] == pytest.approx(0.0125)
    assert seen == [cell.canonical()]


def test_the_rewards_constant_is_a_parameter() -> None:
    env = CellEnv(base_number=2, reward_constant=100, evaluator=lambda a, s: 50.0)
    tokens = (0,) * env.search_space.length()
    reward, info = play(env, tokens)
    assert reward == pytest.approx(0.04) and info["perplexity"] == 50.0


def test_an_exploding_cell_is_a_diverged_child_with_reward_zero() -> None:
    env = CellEnv(base_number=2, evaluator=lambda a, s: float("inf"))
    reward, info = play(env, (0,) * env.search_space.length())
    assert (reward, info["state"], info["failure"]) == (0.0, "failed", "diverged")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"base_number": 6}, "base_number"),
        ({"combinations": ("plus",)}, "combinations"),
        ({"activations": ()}, "activations"),
        ({"recipe": "slow"}, "'paper', 'fast', 'quick'"),
        ({"reward_constant": 0}, "reward_constant must be a finite number above 0"),
        ({"num_layers": 3}, "num_layers"),
    ],
)
def test_wrong_arguments_are_refused_at_once(arguments: dict[str, Any], message: str) -> None:
    for make in (CellEnv, CellVectorEnv):
        with pytest.raises(ConfigurationError, match=message):
            make(**arguments)


def test_a_text_that_is_not_there_is_an_error_when_the_first_child_needs_it(
    tmp_path: Path,
) -> None:
    env = CellEnv(dataset=str(tmp_path / "nowhere"), base_number=2)
    with pytest.raises(DatasetNotFoundError, match="nowhere"):
        play(env, (0,) * env.search_space.length())


def test_a_real_child_earns_c_over_its_perplexity_squared(tmp_path: Path) -> None:
    words = "the cat sat on the mat and the dog sat on the cat\n"
    for split in ("train", "valid", "test"):
        (tmp_path / f"small.{split}.txt").write_text(words * (60 if split == "train" else 20))
    recipe = {
        "epochs": 1,
        "constant_epochs": 1,
        "hidden_size": 8,
        "batch_size": 4,
        "learning_rate": 0.1,
    }
    env = CellEnv(dataset=str(tmp_path), base_number=2, recipe=recipe, device="cpu")
    reward, info = play(env, (0, 1, 0, 1, 1, 2, 0, 1, 2, 0))
    assert info["state"] == "complete", info["message"]
    assert reward == pytest.approx(80 / info["perplexity"] ** 2) and info["perplexity"] > 1
    env.close()
