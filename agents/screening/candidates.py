"""Candidates: whole architectures that were not played yet, from three sources.

* the policy writes some;
* mutants and crossovers of the elites: a copy with one position changed or more, and each position
  from one of two parents;
* random ones, every valid token with the same probability.

All are written position by position within the masks that the rules expect.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.screening.history import ABSENT, History
from agents.screening.rules import MaskRules
from agents.screening.settings import BreedingSettings

Ints = NDArray[np.int64]
Policy = Callable[[Ints, int, NDArray[np.bool_]], NDArray[np.float64]]
"""``(tokens, position, masks) -> (batch, actions)`` probabilities of the next token."""
FREE = -1
"""In the place of a token that is drawn."""

SOURCES = ("policy", "elites", "random")


@dataclass(frozen=True)
class Wishes:
    """What to write.

    Attributes:
        tokens: (rows, length) the token wanted at each position; ``FREE``: any.
        avoided: (rows, length) a token not to be drawn where another is valid; ``FREE``: none.
    """

    tokens: Ints
    avoided: Ints

    @classmethod
    def free(cls, rows: int, length: int) -> "Wishes":
        """Everything is drawn."""
        return cls(np.full((rows, length), FREE), np.full((rows, length), FREE))


@dataclass(frozen=True)
class Candidates:
    """Different architectures of one length, none of them played.

    Attributes:
        tokens: (candidates, positions); ``ABSENT`` beyond the length.
        sources: (candidates,) place in ``SOURCES``.
    """

    tokens: NDArray[np.int32]
    sources: Ints


class Writer:
    """Writes candidates of one length.

    Args:
        history: what was played.
        rules: what is valid.
        length: tokens of a candidate.
        rng: randomness of the batch.
    """

    def __init__(
        self, history: History, rules: MaskRules, length: int, rng: np.random.Generator
    ) -> None:
        self.history, self.rules = history, rules
        self.length, self.rng = length, rng

    def candidates(
        self,
        breeding: BreedingSettings,
        by_random: int = 0,
        by_policy: int = 0,
        policy: Policy | None = None,
    ) -> Candidates:
        """New architectures of all sources, each once: of equals the first."""
        counts = [by_policy, breeding.elite_candidates, by_random]
        bred = slice(by_policy, by_policy + breeding.elite_candidates)
        wishes = Wishes.free(sum(counts), self.length)
        sources = np.repeat(np.arange(len(SOURCES)), counts)
        if len(self.history):
            self.breed(breeding, Wishes(wishes.tokens[bred], wishes.avoided[bred]))
        else:  # there is nothing to breed from
            sources[bred] = SOURCES.index("random")
        tokens = self.write(wishes, policy, by_policy)
        kept: dict[tuple[int, ...], int] = {}
        for row, key in enumerate(map(tuple, tokens[:, : self.length].tolist())):
            if key not in self.history.known:
                kept.setdefault(key, row)
        rows = list(kept.values())
        return Candidates(tokens[rows], sources[rows])

    def breed(self, breeding: BreedingSettings, wishes: Wishes) -> None:
        """Wish for a mutant and a crossover of the best, in turns."""
        best = self.history.best(breeding.breeding_elites)
        parents = self.history.tokens[best][:, : self.length].astype(np.int64)
        changeable = self.changeable(parents)
        for row in range(len(wishes.tokens)):
            first, second = self.rng.integers(len(parents), size=2).tolist()
            wishes.tokens[row] = parents[first]
            places = np.flatnonzero(changeable[first])
            if row % 2 and first != second:
                taken = self.rng.random(self.length) < 0.5
                wishes.tokens[row, taken] = parents[second, taken]
            elif len(places):
                changes = min(int(self.rng.geometric(breeding.one_change)), len(places))
                changed = self.rng.choice(places, changes, replace=False)
                wishes.avoided[row, changed] = parents[first, changed]
                wishes.tokens[row, changed] = FREE

    def changeable(self, tokens: Ints) -> NDArray[np.bool_]:
        """(rows, length) whether a sequence has a token there, and could have another."""
        counts = [self.rules.masks(tokens, p).sum(axis=1) for p in range(self.length)]
        result: NDArray[np.bool_] = (np.array(counts).T > 1) & (tokens != ABSENT)
        return result

    def write(
        self, wishes: Wishes, policy: Policy | None = None, by_policy: int = 0
    ) -> NDArray[np.int32]:
        """(rows, positions) sequences within the rules; the first ``by_policy`` are the policy's.

        Every row uses up one random number a position, whatever it wishes.
        """
        rows = len(wishes.tokens)
        tokens = np.zeros((rows, self.rules.problem.num_positions), np.int64)
        draws = self.rng.random((rows, self.length))
        for position in range(self.length):
            masks = self.rules.masks(tokens, position)  # (rows, actions)
            weights = masks.astype(np.float64)
            if policy is not None:
                weights[:by_policy] = policy(tokens[:by_policy], position, masks[:by_policy])
            avoided = wishes.avoided[:, position]
            other = (avoided != FREE) & (masks.sum(axis=1) > 1)
            weights[other, avoided[other]] = 0.0
            wanted = wishes.tokens[:, position]
            kept = (wanted != FREE) & masks[np.arange(rows), wanted]
            drawn = _drawn(weights, draws[:, position])
            tokens[:, position] = np.where(kept, wanted, drawn)
        written = tokens.astype(np.int32)
        written[:, self.length :] = ABSENT
        return written


def _drawn(weights: NDArray[np.float64], draws: NDArray[np.float64]) -> Ints:
    """(rows,) one token each, by inversion of the cumulative distribution."""
    cumulative = weights.cumsum(axis=1)
    above = cumulative > (draws * cumulative[:, -1])[:, None]
    tokens: Ints = above.argmax(axis=1)
    return tokens
