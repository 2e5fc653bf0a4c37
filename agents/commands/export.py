"""Write a trained network in forms that need no nas_env, and check each against it.

torch (network.pt2 for torch.export.load), onnx (network.onnx), python (network.py and its weights,
which need torch alone), json. Pixels in [0, 255] go in, logits come out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from agents.command import run_command
from agents.search.words import read_options
from nas_env.system.folders import user_path


@dataclass(frozen=True)
class ExportOptions:
    """Which network, and what to write.

    Attributes:
        network: the folder that nas-env finalise wrote, or its network.npz.
        targets: torch, onnx, python, json; default: all.
        output: folder to write to. Default: export/ beside the network.
    """

    network: tyro.conf.Positional[Path]
    targets: tuple[str, ...] = ()
    output: Path | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Export; the exit status is 0, or 2 for an error."""

    def body() -> int:
        options = read_options(ExportOptions, arguments, __doc__)
        from nas_env.network.export import export_network  # imports torch: after --help
        from nas_env.network.file import find_network_file
        from nas_env.network.network import load

        beside = find_network_file(options.network).parent / "export"
        folder = user_path(options.output) if options.output else beside
        found = export_network(load(options.network), folder, options.targets or None)
        for name, difference in found.items():
            told = "" if name == "json" else f"  agrees to {difference:.1g}"
            print(f"{name:<8}{told}")
        print(f"written to {folder}")
        return 0

    return run_command(body)
