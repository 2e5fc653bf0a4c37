"""A Gaussian process over token sequences: what is expected of candidates, and how uncertain.

    k(x, y) = exp(- sum over kinds of d_kind(x, y) / (positions of that kind * scale_kind))

d_kind counts the positions of one kind at which two sequences differ (Hamming distance): options,
skip decisions, choices that decide what else exists. A position that only the longer sequence has
counts half: with more than that, and with less, k is no covariance for every set of sequences. A
scale says how far one must go, as a share of all positions of the kind, until rewards have little
in common. Scales and noise maximise the marginal likelihood on a small grid, one after another.

Forty lines of Cholesky on torch, one thread, instead of a library: scikit-learn's regressor has no
kernel over several distances and searches its hyper-parameters with restarts from random numbers,
and GPyTorch would be one more dependency that needs more than the budget of an update.

Source: Rasmussen & Williams 2006, Algorithm 2.1 and equation 5.8 (with the amplitude that
maximises it put in); Thompson sampling: Kandasamy et al. 2018, "Parallelised Bayesian Optimisation
via Thompson Sampling".
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.screening.history import ABSENT

SCALES = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
NOISES = (0.01, 0.03, 0.1, 0.3, 1.0)
ROUNDS = 2
"""How often each of them is chosen anew, given the others."""
JITTER = 1e-8


@dataclass(frozen=True)
class Scales:
    """Hyper-parameters.

    Attributes:
        kinds: scale of each kind of position.
        noise: variance of the noise in parts of the variance of the process.
    """

    kinds: tuple[float, ...]
    noise: float = 0.1


class Distances:
    """Share of the positions of each kind at which sequences differ.

    Args:
        kinds: (positions,) number of each position's kind: 0, 1, ..., count - 1.
        count: number of kinds.
    """

    def __init__(self, kinds: NDArray[np.int64], count: int) -> None:
        self.places = [np.flatnonzero(kinds == kind) for kind in range(count)]

    def between(self, left: NDArray[np.int32], right: NDArray[np.int32]) -> Tensor:
        """(kinds, left, right) shares, from (left, positions) and (right, positions) tokens."""
        shares = [self._differing(left[:, at], right[:, at]) for at in self.places]
        return torch.stack(shares)

    def _differing(self, left: NDArray[np.int32], right: NDArray[np.int32]) -> Tensor:
        """Positions with different tokens, and half of those that one alone has, over all."""
        here, there = (
            torch.from_numpy((side != ABSENT).astype(np.float32)) for side in (left, right)
        )
        both = here @ there.T  # whole numbers and halves: exact in float32
        options = 1 + int(max(left.max(initial=0), right.max(initial=0)))
        equal = _one_hot(left, options) @ _one_hot(right, options).T
        one = here.sum(dim=1)[:, None] + there.sum(dim=1) - 2 * both
        shares: Tensor = (both - equal + 0.5 * one).double() / max(1, left.shape[1])
        return shares


class GaussianProcess:
    """The process, given what is known.

    Args:
        distances: of the search space.
        tokens: (known, positions).
        targets: (known,) mean 0.
        choosing: (chosen,) places of those that choose the hyper-parameters.
    """

    def __init__(
        self,
        distances: Distances,
        tokens: NDArray[np.int32],
        targets: NDArray[np.float64],
        choosing: NDArray[np.int64],
    ) -> None:
        self.distances, self.tokens = distances, tokens
        shares = distances.between(tokens, tokens)  # (kinds, known, known)
        y = torch.from_numpy(targets)
        few = torch.from_numpy(choosing)
        self.scales = choose_scales(shares[:, few][:, :, few], y[few])
        self.root = _root(_kernel(shares, self.scales), self.scales.noise)
        self.weights = torch.cholesky_solve(y[:, None], self.root)[:, 0]  # K^-1 y
        self.amplitude = max(float(y @ self.weights) / len(y), JITTER)

    def posterior(self, candidates: NDArray[np.int32]) -> tuple[Tensor, Tensor]:
        """(candidates,) mean and a root of the (candidates, candidates) covariance.

        mean = k^T K^-1 y, covariance = k(c, c) - k^T K^-1 k; mean + root @ z, z ~ N(0, 1), is one
        function drawn from the posterior, at all candidates at once.
        """
        across = _kernel(self.distances.between(self.tokens, candidates), self.scales)
        prior = _kernel(self.distances.between(candidates, candidates), self.scales)
        half = torch.linalg.solve_triangular(self.root, across, upper=False)
        root = _root(prior - half.T @ half, 1e-6)
        return across.T @ self.weights, math.sqrt(self.amplitude) * root


def _one_hot(tokens: NDArray[np.int32], options: int) -> Tensor:
    """(rows, options * positions); nothing where there is no token."""
    marks = [tokens == option for option in range(options)]
    return torch.from_numpy(np.concatenate(marks, axis=1).astype(np.float32))


def choose_scales(shares: Tensor, y: Tensor) -> Scales:
    """Hyper-parameters of the highest marginal likelihood, each on its grid given the others."""
    best = Scales(tuple(0.4 for _ in shares))
    value = evidence(shares, y, best)
    varied = [kind for kind in range(len(shares)) if bool((shares[kind] > 0).any())]
    for _ in range(ROUNDS):
        before = best
        for kind in varied:
            others = [(*best.kinds[:kind], s, *best.kinds[kind + 1 :]) for s in SCALES]
            best, value = _better(shares, y, best, value, [Scales(o, best.noise) for o in others])
        noises = [Scales(best.kinds, noise) for noise in NOISES]
        best, value = _better(shares, y, best, value, noises)
        if best == before:
            break
    return best


def _better(
    shares: Tensor, y: Tensor, best: Scales, value: float, others: list[Scales]
) -> tuple[Scales, float]:
    for other in others:
        if other != best and (found := evidence(shares, y, other)) > value:
            best, value = other, found
    return best, value


def evidence(shares: Tensor, y: Tensor, scales: Scales) -> float:
    """Log marginal likelihood of the targets, up to a constant, at its best amplitude.

    -n/2 log(y^T K^-1 y) - 1/2 log |K|
    """
    root = _root(_kernel(shares, scales), scales.noise)
    half = torch.linalg.solve_triangular(root, y[:, None], upper=False)
    fit = float((half**2).sum())
    return -0.5 * len(y) * math.log(max(fit, JITTER)) - float(root.diagonal().log().sum())


def _kernel(shares: Tensor, scales: Scales) -> Tensor:
    rates = torch.tensor([1.0 / scale for scale in scales.kinds], dtype=torch.float64)
    return torch.exp(-torch.einsum("kij,k->ij", shares, rates))


def _root(matrix: Tensor, added: float) -> Tensor:
    """Lower Cholesky factor of a matrix with something added to its diagonal."""
    summed = matrix.clone()
    summed.diagonal().add_(added + JITTER)
    root: Tensor = torch.linalg.cholesky(summed)
    return root
