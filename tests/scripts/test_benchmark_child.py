"""The child benchmark: both loops see the same images, and the figures are complete."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas_env.data.augment import standardise
from nas_env.training.image_recipes import image_recipe
from scripts.benchmarks.child import ChildOptions, against_plain, matmul_share
from scripts.benchmarks.measure import Clock, random_children, random_images, spread
from scripts.benchmarks.plain_training import TransformedImages

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark.py"
CPU = torch.device("cpu")
RECIPE = image_recipe({"name": "quick", "batch_size": 8, "numerics": "float32"})


def test_the_plain_loop_sees_the_images_that_ours_sees() -> None:
    data = random_images(6, 8, CPU)
    plain = TransformedImages(data, replace(RECIPE, crop="none", flip=False))
    images = torch.stack([plain[index][0] for index in range(6)])
    torch.testing.assert_close(images, standardise(data.train_images), atol=1e-4, rtol=1e-4)
    assert [plain[index][1] for index in range(6)] == data.train_labels.tolist()


def test_the_matmul_rate_is_that_of_a_processor() -> None:
    assert 1e8 < Clock(CPU).matmul_rate(torch.float32, size=128, rounds=2) < 1e15


def test_figures_of_both_comparisons_are_positive_and_ordered() -> None:
    options = ChildOptions(steps=1, rounds=1, num_layers=2)
    children, data = random_children(2, 2, seed=0), random_images(16, 8, CPU)
    share = matmul_share(children, data, RECIPE, options)["share_of_matmul"]
    speed_up = against_plain(children, data, RECIPE, options)["speed_up_over_plain"]
    for figures in (share, speed_up):
        assert isinstance(figures, dict)
        assert 0 < figures["least"] <= figures["median"] <= figures["most"]


def test_spread_is_median_and_range() -> None:
    assert spread([3.0, 1.0, 2.0]) == {"median": 2.0, "least": 1.0, "most": 3.0}


@pytest.mark.slow
def test_the_command_prints_json_with_the_machine_and_the_seed() -> None:
    options = "child --children 1 --compared 1 --steps 1 --rounds 1 --num-layers 1 --seed 3"
    command = [sys.executable, str(SCRIPT), *options.split(), "--numerics", "float32"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout)
    assert figures["seed"] == 3 and "torch" in figures["machine"]["device"]
    assert figures["32x32"]["speed_up_over_plain"]["median"] > 0


@pytest.mark.slow
def test_gpu_benchmark_without_a_gpu_says_so() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    command = [sys.executable, str(SCRIPT), "gpu"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0 and "needs a CUDA device" in done.stderr
