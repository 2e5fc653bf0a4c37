"""One door from any architecture to its child."""

from typing import Any

from torch import nn

from nas_env.child.conv.network import ConvNet
from nas_env.child.language.model import LanguageModel
from nas_env.child.language.size import LanguageSizes
from nas_env.errors import InvalidArchitectureError
from nas_env.space.cell_architecture import CellArchitecture
from nas_env.space.conv_architecture import ConvArchitecture
from nas_env.space.layout import Architecture


def build_child(architecture: Architecture, **sizes: Any) -> nn.Module:
    """The ``torch.nn.Module`` of an architecture, with fresh weights from torch's generator.

    Args:
        architecture: what a search space decoded, or ``load_architecture`` read.
        **sizes: for ``ConvArchitecture`` the arguments of ``ConvNet``: ``image_channels``,
            ``classes``; for ``CellArchitecture`` those of ``LanguageSizes``: ``vocabulary_size``,
            ``hidden_size``, and optionally ``embedding_size``, ``layers``, ``tied``.

    Raises:
        InvalidArchitectureError: an architecture without a child of ours.
    """
    if isinstance(architecture, ConvArchitecture):
        return ConvNet(architecture, **sizes)
    if isinstance(architecture, CellArchitecture):
        return LanguageModel(architecture, LanguageSizes(**sizes))
    raise InvalidArchitectureError(
        f"No child is defined for {type(architecture).__name__}; give the environment your own "
        "evaluator, (architecture, seed) -> metric, for a search space of your own."
    )
