"""Train one language model and print its perplexity epoch by epoch.

The published check of the trainer (validation 121.4, test 115.9):
``python scripts/train_language_model.py --recipe zaremba_small --cell lstm --test``, and a found
cell with as many parameters beside it:
``--recipe zaremba_small --cell nas_cell --same-parameters-as lstm --test``.
"""

from collections.abc import Sequence

from agents.command import run_command
from agents.commands.language_options import LanguageOptions
from agents.search.words import read_options


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, print, test if asked to; the status is 0 if the child was trained, 2 for an error."""

    def body() -> int:
        options = read_options(LanguageOptions, arguments, __doc__)
        from agents.commands.language_training import train  # imports torch: after --help

        train(options)
        return 0

    return run_command(body)
