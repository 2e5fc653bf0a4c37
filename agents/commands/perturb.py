"""Is an architecture a local optimum, as section 4.1 asks of Figure 7?

``nas-env perturb figure-7 --recipe fast --seeds 3 --tokens 20 --output runs/figure-7``

Trains the network, the same with all layers connected, without skip connections, with random ones,
and with a single token changed, by one recipe; one table, one picture.
"""

from collections.abc import Sequence

from agents.command import run_command
from agents.comparison.options import PerturbOptions
from agents.search.words import read_options


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and print; the exit status is 0, or 2 for an error."""

    def body() -> int:
        options = read_options(PerturbOptions, arguments, __doc__)
        from agents.comparison.perturb import PAGE, perturb, verdict  # torch: after --help

        measured = perturb(options)
        for one in measured:
            if one.variant.group != "one token" or one.word != "not told apart":
                print("  ".join(one.cells()))
        print(verdict(measured))
        print(f"table and picture: {options.output / PAGE}")
        return 0

    return run_command(body, lambda: "interrupted; the same command goes on from here")
