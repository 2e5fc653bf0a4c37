"""Whatever the caller has set in torch, a child measures the same, and leaves it as it was."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import torch

import nas_env
from nas_env.evaluation.evaluation import Evaluation
from nas_env.space.conv_architecture import ConvArchitecture, Convolution
from nas_env.training.clean_state import clean_torch_state, seeded

NETWORK = ConvArchitecture((Convolution(3, 3, 8), Convolution(3, 3, 8, inputs=(1,))))
IMAGES = {"name": "quick", "epochs": 3, "train_images": 512, "numerics": "float32"}
TEXT = {
    "name": "quick",
    "epochs": 1,
    "train_tokens": 3000,
    "valid_tokens": 1000,
    "hidden_size": 8,
    "numerics": "float32",
    "dropout": {"output": 0.2},
}


def image_child() -> Evaluation:
    return nas_env.evaluate(NETWORK, "digits", IMAGES, seed=3)


def language_child() -> Evaluation:
    return nas_env.evaluate(nas_env.published.NAS_CELL, "pydocs", TEXT, seed=3)


CHILDREN: dict[str, Callable[[], Evaluation]] = {"image": image_child, "language": language_child}


@contextmanager
def setting(setter: Callable[[Any], object], value: Any, before: Any) -> Iterator[None]:
    setter(value)
    try:
        yield
    finally:
        setter(before)


def default_dtype() -> AbstractContextManager[None]:
    return setting(torch.set_default_dtype, torch.float64, torch.float32)


def precision() -> AbstractContextManager[None]:
    return setting(torch.set_float32_matmul_precision, "medium", "highest")


def deterministic() -> AbstractContextManager[None]:
    return setting(torch.use_deterministic_algorithms, True, False)


@contextmanager
def seeded_elsewhere() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(99)
        yield


STATES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "default dtype": default_dtype,
    "default device": lambda: torch.device("meta"),
    "precision": precision,
    "deterministic": deterministic,
    "seed": seeded_elsewhere,
}


@pytest.mark.parametrize("kind", CHILDREN)
@pytest.mark.parametrize("state", STATES)
def test_a_metric_does_not_depend_on_the_callers_torch(kind: str, state: str) -> None:
    expected = CHILDREN[kind]()
    with STATES[state]():
        found = CHILDREN[kind]()
    assert (found.state, found.metric) == (expected.state, expected.metric) != ("failed", None)


@pytest.mark.parametrize("kind", CHILDREN)
def test_a_child_leaves_the_callers_torch_alone(kind: str) -> None:
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16), default_dtype(), precision():
        before = torch.get_rng_state()
        CHILDREN[kind]()
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.get_default_dtype() == torch.float64
        assert torch.get_float32_matmul_precision() == "medium"
        assert not torch.is_grad_enabled()
        assert torch.is_autocast_enabled("cpu")


def test_the_state_comes_back_after_an_error() -> None:
    with default_dtype(), torch.no_grad():
        with pytest.raises(ValueError, match="no"), clean_torch_state():
            assert torch.is_grad_enabled()
            raise ValueError("no")
        assert torch.get_default_dtype() == torch.float64
        assert not torch.is_grad_enabled()


def test_seeded_draws_what_manual_seed_would_and_forgets_it() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        expected = torch.rand(4)
    before = torch.get_rng_state()
    with seeded(7):
        assert torch.equal(torch.rand(4), expected)
    assert torch.equal(torch.get_rng_state(), before)
