"""How far what a search has found on a table is from the best that there is.

A member is worth the mean of all its trainings, which no search sees: a search sees one of them.
After so many children, what it has found is the child with the highest reward so far. With w its
worth, w* the highest worth and w0 the mean of all members' worth,

    normalised regret = (w* - w) / (w* - w0)

0 is the best member, 1 a member as good as the average. A lucky training of a poor member does not
help. Members that failed in every training are worth as little as the worst that did not.
"""

from collections.abc import Sequence

import numpy as np

from agents.records.trace import Floats, Trace
from nas_env.errors import ConfigurationError
from nas_env.tables.noise import mean_metrics, sign_of
from nas_env.tables.table import Table, index_of


def worths(table: Table) -> Floats:
    """(members,) mean of all trainings, turned so that more is better.

    Raises:
        ConfigurationError: all members are worth the same.
    """
    found = sign_of(table) * mean_metrics(table)  # NaN = every training failed
    trained = ~np.isnan(found)
    if not trained.any() or np.nanmin(found) == np.nanmax(found):
        raise ConfigurationError(
            "All members of the table are worth the same: there is nothing to search for. Name "
            "another table."
        )
    found[~trained] = np.nanmin(found)
    return found


def regrets(table: Table, traces: Sequence[Trace]) -> Floats:
    """(seeds, children) normalised regret of each search after each child."""
    worth = worths(table)
    best, average = worth.max(), worth.mean()
    rows = []
    for trace in traces:
        members = [index_of(table.search_space, tokens) for tokens in trace.tokens.tolist()]
        incumbents = trace.best_children(range(1, len(trace) + 1))
        rows.append((best - worth[members][incumbents]) / (best - average))
    return np.stack(rows)
