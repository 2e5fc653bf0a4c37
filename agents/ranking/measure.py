"""What the trainings of a ranking say of each short recipe."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.ranking.statistics import (
    Figure,
    Floats,
    Measure,
    between_repeats,
    bootstrap,
    hit_rate,
    kendall,
    mean_over_repeats,
    partial,
    partial_of_ranks,
    pearson,
    spearman,
)
from agents.ranking.trainings import Done, Ledger, Network, Plan
from nas_env.evaluation.evaluation import MetricName

SIZE_ALONE = "log MACs alone"
BEST_OF, TOP = 50, 5
LEAST_NETWORKS = 8
"""Of fewer, correlations are noise."""


@dataclass(frozen=True)
class Row:
    """What is known of one short recipe.

    Attributes:
        name: the recipe as it was given.
        networks: with both a short and a long result.
        failed: short trainings without a metric.
        spearman: with the long score, mean over repeats; so the next ones.
        kendall: tau-b.
        pearson: of the scores.
        partial_spearman: given log MACs; NaN where all networks have the same.
        partial_pearson: the same of the scores.
        between_seeds: Pearson between two repeats of this recipe.
        hits: share of draws in which the best of 50 by this recipe is in the long one's top 5.
        seconds: processor seconds of one training, mean.
        price: ``seconds`` as a multiple of the first short recipe's, over the networks that both
            have trained.
    """

    name: str
    networks: int
    failed: int
    spearman: Figure
    kendall: Figure
    pearson: Figure
    partial_spearman: Figure
    partial_pearson: Figure
    between_seeds: float
    hits: float
    seconds: float
    price: float


@dataclass(frozen=True)
class Measured:
    """The table.

    Attributes:
        rows: short recipes, in the order in which they were given; the size of a network last.
        long_name: the long recipe as it was given.
        long_seconds: processor seconds of one long training, mean.
        long_between_seeds: Pearson between two of its repeats.
        long_repeats: (fewest, most) finished repeats of a network.
        networks: with a long result.
    """

    rows: Sequence[Row]
    long_name: str
    long_seconds: float
    long_between_seeds: float
    long_repeats: tuple[int, int]
    networks: int


def measure(plan: Plan, ledger: Ledger, metric_name: MetricName) -> Measured:
    """Statistics of what the ledger holds of a plan, however much that is."""
    long = scores(plan, ledger, 0, plan.long_repeats, metric_name)  # (networks, repeats)
    known = np.isfinite(long).any(axis=1)
    truth = np.full(len(long), np.nan)
    truth[known] = np.nanmean(long[known], axis=1)
    sizes = _log_macs(plan, ledger)
    rows = []
    for index, candidate in enumerate(plan.short, 1):
        short = scores(plan, ledger, index, plan.short_repeats, metric_name)
        finished = _finished(plan, ledger, candidate.key)
        paid = {
            "failed": sum(one.metric is None for one in finished),
            "seconds": _mean([one.processor_s for one in finished]),
            "price": _price(plan, ledger, candidate.key),
        }
        rows.append(_row(candidate.given, short, truth, sizes, paid))
    if len(set(sizes[np.isfinite(sizes)])) > 1:
        none = np.full(len(sizes), np.nan)
        free = {"failed": 0, "seconds": 0.0, "price": 0.0}
        rows.append(_row(SIZE_ALONE, sizes[:, None], truth, none, free))
    counts = np.isfinite(long).sum(axis=1)[known]
    return Measured(
        rows,
        plan.long.given,
        _mean([one.processor_s for one in _finished(plan, ledger, plan.long.key)]),
        between_repeats(long),
        (int(counts.min()), int(counts.max())) if len(counts) else (0, 0),
        int(known.sum()),
    )


def scores(plan: Plan, ledger: Ledger, index: int, repeats: int, metric_name: MetricName) -> Floats:
    """(networks, repeats) accuracy, or minus the log of the perplexity; NaN where there is none."""
    key = plan.candidates[index].key
    table = np.full((len(plan.networks), repeats), np.nan)
    for row, network in enumerate(plan.networks):
        for repeat in range(repeats):
            done = ledger.done.get((network, key, repeat))
            if done is not None and done.metric is not None:
                perplexity = metric_name == "perplexity"
                table[row, repeat] = -math.log(done.metric) if perplexity else done.metric
    return table


def _log_macs(plan: Plan, ledger: Ledger) -> Floats:
    """(networks,) of the children of the long recipe, NaN where not trained."""
    done = [ledger.done.get((network, plan.long.key, 0)) for network in plan.networks]
    return np.array([math.log(d.macs) if d is not None and d.macs else np.nan for d in done])


def _finished(plan: Plan, ledger: Ledger, key: str) -> list[Done]:
    networks = set(plan.networks)
    return [
        d for (network, with_, _), d in ledger.done.items() if with_ == key and network in networks
    ]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else np.nan


def _price(plan: Plan, ledger: Ledger, key: str) -> float:
    """Seconds by this recipe over seconds by the first short one, of networks that both trained."""

    def seconds(recipe: str, network: Network) -> float:
        repeats = range(plan.short_repeats)
        done = [ledger.done.get((network, recipe, repeat)) for repeat in repeats]
        return _mean([one.processor_s for one in done if one is not None])

    pairs = [(seconds(key, one), seconds(plan.short[0].key, one)) for one in plan.networks]
    both = [pair for pair in pairs if not math.isnan(sum(pair))]
    return sum(a for a, _ in both) / sum(b for _, b in both) if both else np.nan


def _row(name: str, short: Floats, truth: Floats, sizes: Floats, paid: Mapping[str, Any]) -> Row:
    usable = np.isfinite(short).any(axis=1) & np.isfinite(truth)
    short, truth, sizes = short[usable], truth[usable], sizes[usable]
    count = int(usable.sum())
    enough = count >= LEAST_NETWORKS
    varied = bool(enough and np.isfinite(sizes).all() and sizes.std() > 0)

    def figure(of: Measure) -> Figure:
        if not enough:
            return Figure(np.nan)
        return bootstrap(lambda at: mean_over_repeats(of, short[at], truth[at]), count)

    def given_size(of: Any) -> Figure:
        if not varied:
            return Figure(np.nan)
        return bootstrap(lambda at: _partial_at(of, at, short, truth, sizes), count)

    hits = [
        hit_rate(column[there], truth[there], BEST_OF, TOP)
        for column in short.T
        if (there := np.isfinite(column)).sum() >= LEAST_NETWORKS
    ]
    return Row(
        name=name,
        networks=count,
        spearman=figure(spearman),
        kendall=figure(kendall),
        pearson=figure(pearson),
        partial_spearman=given_size(partial_of_ranks),
        partial_pearson=given_size(partial),
        between_seeds=between_repeats(short),
        hits=_mean(hits),
        **paid,
    )


def _partial_at(
    of: Any, at: NDArray[np.int64], short: Floats, truth: Floats, sizes: Floats
) -> float:
    """Partial correlation of these networks, mean over repeats; gaps are left out."""
    values = []
    for column in short[at].T:
        both = np.isfinite(column)
        if both.sum() >= LEAST_NETWORKS // 2:
            values.append(of(column[both], truth[at][both], sizes[at][both]))
    return _mean(values)
