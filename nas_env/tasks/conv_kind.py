"""Convolutional networks: trained on images, drawn like the paper's Figure 7."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nas_env.rendering.conv_text import draw_conv, draw_conv_tokens
from nas_env.space.conv_architecture import ConvArchitecture, Convolution, Layer
from nas_env.space.layered import LayeredSpace
from nas_env.space.layout import SearchSpace
from nas_env.tasks.image_task import ImageTask
from nas_env.tasks.kind import Kind

if TYPE_CHECKING:
    from torch import nn

    from nas_env.rendering.picture import Picture
    from nas_env.training.image_recipes import ImageRecipe


class ConvKind(Kind[ConvArchitecture]):
    """See ``Kind``."""

    name = "conv"
    architecture = ConvArchitecture
    spaces = (LayeredSpace,)
    family = "image"
    task = ImageTask
    metric_name = ImageTask.metric_name
    data = ImageTask.rows
    default_dataset = "cifar10"
    recipes = ("paper", "fast", "quick")

    def recipe(self, recipe: Any = "quick", dataset: Any = None) -> "ImageRecipe":
        """An ``ImageRecipe``."""
        from nas_env.training.image_recipes import image_recipe

        return image_recipe(recipe, dataset)

    def build(self, architecture: ConvArchitecture, **sizes: Any) -> "nn.Module":
        """A ``ConvNet``; sizes: ``image_channels``, ``classes``."""
        from nas_env.child.conv.network import ConvNet

        return ConvNet(architecture, **sizes)

    def draw_text(self, architecture: ConvArchitecture) -> str:
        """A line a layer."""
        return draw_conv(architecture)

    def draw_figure(self, architecture: ConvArchitecture) -> "Picture":
        """Like Figure 7."""
        from nas_env.rendering.conv_figure import conv_picture, frame_of
        from nas_env.rendering.conv_rows import network_rows

        network = network_rows(architecture)
        return conv_picture(network, frame_of(network))

    def draw_tokens(self, space: SearchSpace[Any], tokens: Sequence[int], num_layers: int) -> str:
        """A line a layer, what is open as question marks."""
        return draw_conv_tokens(space, tokens, num_layers)

    def draw_tokens_figure(
        self, space: SearchSpace[Any], tokens: Sequence[int], num_layers: int, footer: str
    ) -> "Picture":
        """Like Figure 7, what is open as dashed boxes."""
        from nas_env.rendering.conv_figure import Frame, conv_picture
        from nas_env.rendering.conv_rows import network_rows, partial_rows

        strides = any(position.name == "stride_height" for position in space.layout)
        linked = any(position.kind == "skip" for position in space.layout)
        frame = Frame(strides=strides, span=num_layers if linked else 1)
        if len(tokens) == space.length(num_layers):
            return conv_picture(network_rows(space.decode(tokens)), frame, footer)
        return conv_picture(partial_rows(space, tokens, num_layers), frame, footer)

    def summary(self, architecture: ConvArchitecture) -> str:
        """``3x5x64 7x7x24``: height, width and number of filters of each layer."""
        return " ".join(map(_layer, architecture.layers))


def _layer(layer: Layer) -> str:
    """``3x5x64``, or the type of a layer that is no convolution."""
    if isinstance(layer, Convolution):
        return f"{layer.filter_height}x{layer.filter_width}x{layer.filters}"
    return type(layer).__name__.lower()
