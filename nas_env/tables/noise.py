"""How far a member is from the best, and how much of a difference is luck.

A search sees one training of each member. The member with the highest single training is a good
network with a lucky training: in the digits table its accuracy is .900, its mean .840, and the best
mean of all members .875. So members are told by their *regret*:

    regret(a) = best mean of any member - mean of all trainings of a

turned so that 0 is best and more is worse, whatever the metric. The noise says how small a regret
can be told from 0 at all.
"""

import math
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from nas_env.tables.table import Table

Floats = NDArray[np.float64]


def mean_metrics(table: Table) -> Floats:
    """(members,) mean of the trainings of each member that did not fail; NaN = all failed."""
    values = np.asarray(table.metrics, np.float64)
    known = np.isfinite(values)
    counts = known.sum(axis=1)
    sums = np.where(known, values, 0.0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def best_mean(table: Table) -> float:
    """The best mean of all trainings of any member; NaN if every training failed."""
    values = _worth(table, mean_metrics(table))
    return sign_of(table) * float(np.nanmax(values)) if np.isfinite(values).any() else math.nan


def regrets(table: Table) -> Floats:
    """(members,) how far the mean of each member is from the best mean; NaN = all failed."""
    return sign_of(table) * best_mean(table) - _worth(table, mean_metrics(table))


@dataclass(frozen=True)
class Noise:
    """What single trainings of a table can tell.

    Attributes:
        trainings: of each member.
        best_single: the best single training of any member.
        best_mean: the best mean of all trainings of any member.
        regret_of_best: regret of the member with the best first training of all, mean over which
            training is the first: what seeing every member once and taking the best costs. NaN for
            one training.
        standard_error: of a member's mean, in the tenth with the best means, where it matters; NaN
            for one training.
        agreement: correlation of two trainings, over all members.
        agreement_of_top: the same in the best tenth and the best hundredth, (share, correlation).
            Members are chosen by one training and compared by two others, so that the choice does
            not push these down or up; NaN for fewer than three trainings.
    """

    trainings: int
    best_single: float
    best_mean: float
    regret_of_best: float
    standard_error: float
    agreement: float
    agreement_of_top: tuple[tuple[float, float], ...]

    def __str__(self) -> str:
        """In a line."""
        top = ", ".join(
            f"{value:.2f} in the best {share:.0%}"
            for share, value in self.agreement_of_top
            if math.isfinite(value)
        )
        return (
            f"best mean {self.best_mean:.4f}, best single training {self.best_single:.4f}; the "
            f"mean of {self.trainings} has a standard error of {self.standard_error:.4f} among the "
            f"best; to see every member once and take the best costs a regret of "
            f"{self.regret_of_best:.4f}; two trainings correlate by {self.agreement:.2f}"
            f"{', ' + top if top else ''}"
        )


def noise_of(table: Table) -> Noise:
    """The noise of a table; members of which a training failed are left out of the spread."""
    whole = np.asarray(table.metrics, np.float64)
    whole = whole[np.isfinite(whole).all(axis=1)]  # (members, trainings)
    worth = _worth(table, np.asarray(table.metrics, np.float64))
    several = table.trainings > 1 and len(whole) > 1
    best = np.argsort(-_worth(table, whole).mean(axis=1), kind="stable")[: len(whole) // 10 + 1]
    spread = math.sqrt(whole[best].var(axis=1, ddof=1).mean()) if several else math.nan
    known = np.isfinite(worth).any()
    lost = regrets(table)
    firsts = [
        lost[np.nanargmax(column)] for column in worth.T if np.isfinite(column).any() and several
    ]
    return Noise(
        trainings=table.trainings,
        best_single=sign_of(table) * float(np.nanmax(worth)) if known else math.nan,
        best_mean=best_mean(table),
        regret_of_best=float(np.mean(firsts)) if firsts else math.nan,
        standard_error=spread / math.sqrt(table.trainings),
        agreement=_agreement(sign_of(table) * whole, 1.0, chosen_apart=False),
        agreement_of_top=tuple(
            (share, _agreement(sign_of(table) * whole, share)) for share in (0.1, 0.01)
        ),
    )


def _agreement(worth: Floats, share: float, chosen_apart: bool = True) -> float:
    """Mean correlation of two trainings among the members that another one has as its best."""
    count, trainings = round(share * len(worth)), worth.shape[1]
    if count < 3 or trainings < (3 if chosen_apart else 2):
        return math.nan
    found = []
    for orders in permutations(range(trainings), 3 if chosen_apart else 2):
        *by, one, other = orders
        if one > other:
            continue
        rows = np.argsort(-worth[:, by[0]], kind="stable")[:count] if by else slice(None)
        first, second = worth[rows, one], worth[rows, other]
        if np.ptp(first) > 0 and np.ptp(second) > 0:
            found.append(np.corrcoef(first, second)[0, 1])
    return float(np.mean(found)) if found else math.nan


def _worth(table: Table, values: Floats) -> Floats:
    """Metrics turned so that more is better."""
    return sign_of(table) * values


def sign_of(table: Table) -> float:
    """1: a high metric is good; -1: a low one."""
    return -1.0 if table.metric_name == "perplexity" else 1.0
