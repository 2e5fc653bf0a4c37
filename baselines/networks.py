"""Networks designed by people, trained as children are: by the same recipes into the same store.

``resnet-110``, ``preact-resnet-164``, ``wide-resnet-28-10``, ``densenet-40-12``,
``densenet-bc-100-12``, ``all-cnn``, ``network-in-network``, or ``torchvision/NAME``. A design is an
architecture of kind ``"design"``: its JSON is its name. Importing this file makes the kind known.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from nas_env.child.cost import Cost
from nas_env.errors import InvalidArchitectureError
from nas_env.evaluation.evaluation import MetricName
from nas_env.evaluation.evaluator import Job
from nas_env.space.layout import Architecture
from nas_env.tasks.image_task import ImageTask
from nas_env.tasks.kind import Kind
from nas_env.tasks.kinds import register_kind

if TYPE_CHECKING:
    import torch
    from torch import nn

    from nas_env.data.images import ImageData
    from nas_env.training.image_recipes import ImageRecipe
    from nas_env.training.image_training import ImageChild
    from nas_env.training.outcome import TrainingOutcome


@dataclass(frozen=True)
class Published:
    """What a paper says of a design.

    Attributes:
        parameters: in millions, to the precision that it gives.
        source: where.
    """

    parameters: str
    source: str


TABLE_1 = "Zoph & Le 2017, Table 1"
PUBLISHED: dict[str, Published] = {
    "resnet-20": Published("0.27", "He et al. 2015, Table 6"),
    "resnet-110": Published("1.7", f"He et al. 2015, Table 6; {TABLE_1}"),
    "preact-resnet-164": Published("1.7", f"He et al. 2016, Table 4; {TABLE_1}"),
    "wide-resnet-16-8": Published("11.0", f"Zagoruyko & Komodakis 2016, Table 4; {TABLE_1}"),
    "wide-resnet-28-10": Published("36.5", f"Zagoruyko & Komodakis 2016, Table 4; {TABLE_1}"),
    "densenet-40-12": Published("1.0", f"Huang et al. 2016, Table 2; {TABLE_1}"),
    "densenet-100-12": Published("7.0", f"Huang et al. 2016, Table 2; {TABLE_1}"),
    "densenet-100-24": Published("27.2", f"Huang et al. 2016, Table 2; {TABLE_1}"),
    "densenet-bc-100-12": Published("0.8", "Huang et al. 2016, Table 2"),
    "densenet-bc-250-24": Published("15.3", "Huang et al. 2016, Table 2"),
    "densenet-bc-190-40": Published("25.6", f"Huang et al. 2016, Table 2; {TABLE_1}"),
    "all-cnn": Published("1.4", "Springenberg et al. 2015, All-CNN-C"),
    "network-in-network": Published("1", "Springenberg et al. 2015, Table of results"),
}
"""Name -> what is published; other depths and widths of the same families work, too."""


@dataclass(frozen=True)
class HumanDesign(Architecture):
    """A network by name.

    Attributes:
        name: see the module.
    """

    name: str

    def __post_init__(self) -> None:
        """Refuse a name that nothing is known by."""
        _builder(self.name)

    def to_json(self) -> dict[str, Any]:
        """``{"kind": "design", "name": ...}``."""
        return {"kind": "design", "name": self.name}

    def canonical(self) -> "HumanDesign":
        """Itself."""
        return self

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "HumanDesign":
        """What ``to_json`` wrote.

        Raises:
            InvalidArchitectureError: it is none.
        """
        if set(data) != {"kind", "name"} or not isinstance(data["name"], str):
            raise InvalidArchitectureError("A design has the fields 'kind' and 'name'.")
        return cls(data["name"])

    def build(self, channels: int = 3, classes: int = 10) -> "nn.Module":
        """The module, with fresh weights from torch's generator."""
        return _builder(self.name)(channels, classes)


Builder = Callable[[int, int], "nn.Module"]


def _builder(name: str) -> Builder:
    """What builds a network.

    Raises:
        InvalidArchitectureError: no such name, or a depth that the family does not have.
    """
    for pattern, step, rest, make in _FAMILIES:
        found = re.fullmatch(pattern, name)
        if found is None:
            continue
        numbers = [int(number) for number in found.groups()]
        if numbers and (numbers[0] <= rest or (numbers[0] - rest) % step or min(numbers) < 1):
            raise InvalidArchitectureError(
                f"There is no {name!r}: the depth of this family is a multiple of {step}, plus "
                f"{rest}."
            )
        return lambda channels, classes: make(numbers, channels, classes)
    if name.startswith("torchvision/"):
        return _of_torchvision(name.partition("/")[2])
    raise InvalidArchitectureError(
        f"There is no design {name!r}. Known: {', '.join(PUBLISHED)}, other depths and widths of "
        "these families, and torchvision/NAME."
    )


def _resnet(numbers: list[int], channels: int, classes: int) -> "nn.Module":
    from baselines.residual_networks import ResNet

    return ResNet(numbers[0], channels, classes)


def _preact(numbers: list[int], channels: int, classes: int) -> "nn.Module":
    from baselines.residual_networks import pre_activation_resnet

    return pre_activation_resnet(numbers[0], channels, classes)


def _wide(numbers: list[int], channels: int, classes: int) -> "nn.Module":
    from baselines.residual_networks import wide_resnet

    return wide_resnet(numbers[0], numbers[1], channels, classes)


def _dense(numbers: list[int], channels: int, classes: int) -> "nn.Module":
    from baselines.dense_networks import DenseNet

    return DenseNet(numbers[0], numbers[1], False, channels, classes)


def _dense_bc(numbers: list[int], channels: int, classes: int) -> "nn.Module":
    from baselines.dense_networks import DenseNet

    return DenseNet(numbers[0], numbers[1], True, channels, classes)


def _all_cnn(numbers: list[int], channels: int, classes: int) -> "nn.Module":
    from baselines.plain_networks import all_cnn

    return all_cnn(channels, classes)


def _nin(numbers: list[int], channels: int, classes: int) -> "nn.Module":
    from baselines.plain_networks import network_in_network

    return network_in_network(channels, classes)


_NUMBER = r"([1-9]\d{0,3})"
_FAMILIES: tuple[tuple[str, int, int, Callable[[list[int], int, int], "nn.Module"]], ...] = (
    (f"resnet-{_NUMBER}", 6, 2, _resnet),
    (f"preact-resnet-{_NUMBER}", 9, 2, _preact),
    (f"wide-resnet-{_NUMBER}-{_NUMBER}", 6, 4, _wide),
    (f"densenet-{_NUMBER}-{_NUMBER}", 3, 4, _dense),
    (f"densenet-bc-{_NUMBER}-{_NUMBER}", 6, 4, _dense_bc),
    ("all-cnn", 1, 0, _all_cnn),
    ("network-in-network", 1, 0, _nin),
)
"""(name, the depth is a multiple of, plus, what builds it)."""


def _of_torchvision(name: str) -> Builder:
    from torchvision import models

    if name not in models.list_models(module=models):
        raise InvalidArchitectureError(
            f"torchvision has no classifier {name!r}; torchvision.models.list_models() names them."
        )

    def build(channels: int, classes: int) -> "nn.Module":
        if channels != 3:
            raise InvalidArchitectureError(
                f"Networks of torchvision take colour images, these have {channels} channel(s)."
            )
        module: nn.Module = models.get_model(name, weights=None, num_classes=classes)
        return module

    return build


@cache
def design_cost(name: str, image_shape: tuple[int, int, int], classes: int) -> Cost:
    """Counted by one forward pass on the meta device, which takes no memory: see ``conv_cost``.

    The elements are those of the outputs of all innermost modules.
    """
    import torch
    from torch import nn

    macs, elements = 0, 0

    def count(module: nn.Module, _: Any, output: Any) -> None:
        nonlocal macs, elements
        elements += output.numel()
        if isinstance(module, nn.Conv2d):
            weights = module.weight.numel() // module.out_channels
            macs += weights * output.numel()
        elif isinstance(module, nn.Linear):
            macs += module.weight.numel()

    with torch.device("meta"), torch.no_grad():
        child = _builder(name)(image_shape[0], classes).eval()
        for module in child.modules():
            if not list(module.children()):
                module.register_forward_hook(count)
        child(torch.empty(1, *image_shape))
    parameters = sum(p.numel() for p in child.parameters())
    return Cost(parameters, macs, elements)


class DesignTask(ImageTask):
    """Trains a design as ``ImageTask`` trains a child."""

    metric_name: MetricName = "accuracy"

    def cost(self, job: Job) -> int:
        """Multiply-accumulates on an image of 32x32."""
        assert isinstance(job.architecture, HumanDesign)
        return design_cost(job.architecture.name, (3, 32, 32), 10).macs

    def _train(self, job: Job, data: "ImageData", device: "torch.device") -> "TrainingOutcome":
        from nas_env.training.image_training import train_image_child

        assert isinstance(job.architecture, HumanDesign)
        child = image_child_of(job.architecture, data)
        return train_image_child(child, data, self.recipe, job.seed, device)


def image_child_of(design: HumanDesign, data: "ImageData") -> "ImageChild":
    """How a design is trained on these images."""
    from torch import nn

    from nas_env.training.image_training import ImageChild

    def build(channels: int, classes: int, epsilon: float) -> nn.Module:
        child = design.build(channels, classes)
        for module in child.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = epsilon
        return child

    return ImageChild(build, design_cost(design.name, data.image_shape, len(data.classes)))


class DesignKind(Kind[HumanDesign]):
    """See ``Kind``."""

    name = "design"
    architecture = HumanDesign
    family = "image"
    task = DesignTask
    metric_name = ImageTask.metric_name
    data = ImageTask.rows
    default_dataset = "cifar10"
    recipes = ("paper", "fast", "quick")

    def recipe(self, recipe: Any = "quick", dataset: Any = None) -> "ImageRecipe":
        """An ``ImageRecipe``."""
        from nas_env.training.image_recipes import image_recipe

        return image_recipe(recipe, dataset)

    def build(self, architecture: HumanDesign, **sizes: Any) -> "nn.Module":
        """Sizes: ``image_channels``, ``classes``."""
        return architecture.build(sizes.get("image_channels", 3), sizes.get("classes", 10))

    def draw_text(self, architecture: HumanDesign) -> str:
        """Its name."""
        return architecture.name


register_kind(DesignKind())
