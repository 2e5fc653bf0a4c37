"""The Gaussian process against its definition, written out with inverses and determinants."""

from typing import Any

import numpy as np
import torch
from scipy.stats import multivariate_normal

from agents.screening.gaussian_process import (
    Distances,
    GaussianProcess,
    Scales,
    _kernel,
    choose_scales,
    evidence,
)

KINDS = np.array([0, 0, 1, 1])
DISTANCES = Distances(KINDS, 2)
RNG = np.random.default_rng(0)
TOKENS = np.unique(RNG.integers(3, size=(40, 4)).astype(np.int32), axis=0)


def kernel(left: Any, right: Any, scales: Scales) -> Any:
    """exp(-sum over kinds of share differing / scale), position by position."""
    rates = np.array([1 / (2 * scales.kinds[kind]) for kind in KINDS])
    return np.exp(-((left[:, None] != right[None]) * rates).sum(axis=2))


def test_distances_count_what_differs_by_kind_and_half_of_what_one_lacks() -> None:
    left = np.array([[0, 1, 2, 0], [0, 1, 2, -1]], np.int32)
    right = np.array([[0, 2, 1, 1]], np.int32)
    assert DISTANCES.between(left, right)[:, :, 0].tolist() == [[0.5, 0.5], [1.0, 0.75]]


def test_mean_and_covariance_are_those_of_the_definition() -> None:
    known, new = TOKENS[:20], TOKENS[20:]
    targets = np.random.default_rng(1).normal(size=20)
    process = GaussianProcess(DISTANCES, known, targets, np.arange(20))
    mean, root = process.posterior(new)
    prior = kernel(known, known, process.scales) + process.scales.noise * np.eye(20)
    across = kernel(known, new, process.scales)
    amplitude = targets @ np.linalg.solve(prior, targets) / 20
    expected = kernel(new, new, process.scales) - across.T @ np.linalg.solve(prior, across)
    np.testing.assert_allclose(mean.numpy(), across.T @ np.linalg.solve(prior, targets), atol=1e-6)
    found = (root @ root.T).numpy()
    np.testing.assert_allclose(found, amplitude * expected, atol=1e-5)


def test_evidence_is_the_log_likelihood_at_its_best_amplitude() -> None:
    """Differences of it: the constant is left out."""
    shares, y = DISTANCES.between(TOKENS, TOKENS), np.random.default_rng(2).normal(size=len(TOKENS))

    def likelihood(scales: Scales) -> float:
        matrix = kernel(TOKENS, TOKENS, scales) + scales.noise * np.eye(len(y))
        best = y @ np.linalg.solve(matrix, y) / len(y)
        return float(multivariate_normal(np.zeros(len(y)), best * matrix).logpdf(y))

    one, two = Scales((0.2, 0.8), 0.1), Scales((1.6, 0.4), 0.3)
    found = [evidence(shares, torch.from_numpy(y), scales) for scales in (one, two)]
    expected = [likelihood(scales) for scales in (one, two)]
    np.testing.assert_allclose(found[0] - found[1], expected[0] - expected[1], atol=1e-5)


def test_a_kind_that_does_not_matter_gets_the_longest_scale() -> None:
    y = torch.from_numpy((TOKENS[:, 0] + TOKENS[:, 1] * 0.3 - 1.2).astype(np.float64))
    scales = choose_scales(DISTANCES.between(TOKENS, TOKENS), y)
    assert scales.kinds[1] == 3.2 > scales.kinds[0]
    assert scales.noise == 0.01


def test_sequences_of_many_lengths_have_a_covariance() -> None:
    rows = np.unique(np.random.default_rng(4).integers(3, size=(300, 4)).astype(np.int32), axis=0)
    shorter = np.concatenate([np.where(np.arange(4) < n, rows, -1) for n in (1, 2, 3, 4)])
    tokens = np.unique(shorter, axis=0)
    shares = DISTANCES.between(tokens, tokens)
    for scale in (0.1, 3.2):
        eigenvalues = torch.linalg.eigvalsh(_kernel(shares, Scales((scale, scale))))
        assert float(eigenvalues.min()) > -1e-9
