"""The order in which children of a batch start."""

from nas_env.evaluation.evaluator import Job
from nas_env.evaluation.pool.order import largest_first
from nas_env.space.choices import ChoiceArchitecture
from nas_env.space.conv_architecture import ConvArchitecture, Convolution
from nas_env.tasks.image_task import ImageTask


def test_the_largest_child_starts_first() -> None:
    sizes = [(1, 24), (7, 64), (3, 36), (7, 64)]
    jobs = [Job(ConvArchitecture((Convolution(side, side, n),)), 0) for side, n in sizes]
    assert largest_first(jobs, ImageTask("digits").cost) == [1, 3, 2, 0]


def test_children_of_unknown_cost_keep_their_order() -> None:
    jobs = [Job(ChoiceArchitecture({"units": units}), 0) for units in (3, 1, 2)]
    assert largest_first(jobs) == [0, 1, 2]
    assert largest_first(jobs, lambda job: 7) == [0, 1, 2]
    assert largest_first([]) == []
