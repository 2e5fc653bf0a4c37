"""Train networks by one recipe, several seeds each: accuracy with intervals, size, time.

``nas-env compare-networks resnet-20 densenet-bc-40-12 runs/NAME mine.json --seeds 3``

A network is the name of a human design (resnet-110, preact-resnet-164, wide-resnet-28-10,
densenet-100-12, densenet-bc-100-12, all-cnn, network-in-network, torchvision/resnet18), the JSON
file of an architecture, or a run folder: its best. What the store has is not trained again.
"""

from collections.abc import Sequence

from agents.command import run_command
from agents.comparison.options import CompareNetworksOptions
from agents.search.words import read_options


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and print; the exit status is 0, 1 if every training failed, 2 for an error."""

    def body() -> int:
        options = read_options(CompareNetworksOptions, arguments, __doc__)
        from agents.comparison.networks import compare_networks  # imports torch: after --help

        rows = compare_networks(options)
        return 0 if any(row.metrics for row in rows) else 1

    return run_command(body, lambda: "interrupted; the same command goes on from here")
