"""Neural Architecture Search with Reinforcement Learning as Gymnasium environments.

``import nas_env`` registers the environments and stays light: torch is imported when the first
child is built. Public names are loaded on first use.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_env.registration import register_environments
from nas_env.system.name_clash import warn_of_clashes

if TYPE_CHECKING:
    from nas_env.api import build_child as build_child
    from nas_env.api import evaluate as evaluate
    from nas_env.child.cell.recurrent_cell import RecurrentCell as RecurrentCell
    from nas_env.child.cell.recurrent_layer import RecurrentLayer as RecurrentLayer
    from nas_env.data.datasets import ImageDataset as ImageDataset
    from nas_env.data.datasets import TextDataset as TextDataset
    from nas_env.data.datasets import register_dataset as register_dataset
    from nas_env.data.raw_images import RawImages as RawImages
    from nas_env.envs.architecture_env import ArchitectureEnv as ArchitectureEnv
    from nas_env.envs.vector_env import ArchitectureVectorEnv as ArchitectureVectorEnv
    from nas_env.network.export import export_network as export_network
    from nas_env.network.network import load as load
    from nas_env.space import published as published
    from nas_env.space.architecture_json import architecture_from_json as architecture_from_json
    from nas_env.space.architecture_json import load_architecture as load_architecture
    from nas_env.space.choices import ChoiceSpace as ChoiceSpace
    from nas_env.tasks.drawing import draw_figure as draw_figure
    from nas_env.tasks.kind import Kind as Kind
    from nas_env.tasks.kinds import register_kind as register_kind

__version__ = "0.1.0"

_HOME = {  # public name -> module that owns it
    "ArchitectureEnv": "nas_env.envs.architecture_env",
    "ArchitectureVectorEnv": "nas_env.envs.vector_env",
    "ChoiceSpace": "nas_env.space.choices",
    "ImageDataset": "nas_env.data.datasets",
    "Kind": "nas_env.tasks.kind",
    "RawImages": "nas_env.data.raw_images",
    "RecurrentCell": "nas_env.child.cell.recurrent_cell",
    "RecurrentLayer": "nas_env.child.cell.recurrent_layer",
    "TextDataset": "nas_env.data.datasets",
    "architecture_from_json": "nas_env.space.architecture_json",
    "build_child": "nas_env.api",
    "draw_figure": "nas_env.tasks.drawing",
    "evaluate": "nas_env.api",
    "export_network": "nas_env.network.export",
    "load": "nas_env.network.network",
    "load_architecture": "nas_env.space.architecture_json",
    "register_dataset": "nas_env.data.datasets",
    "register_kind": "nas_env.tasks.kinds",
}
__all__ = [*_HOME, "published"]


register_environments()
warn_of_clashes(Path(__file__).parents[1])


def __getattr__(name: str) -> Any:
    """Load a public name from its home module (PEP 562)."""
    if name == "published":
        return import_module("nas_env.space.published")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'nas_env' has no attribute {name!r}; public: {sorted(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
