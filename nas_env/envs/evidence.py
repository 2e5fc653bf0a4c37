"""How well the recipes of an id were measured to order networks as a long training does.

``evidence.json`` beside this file is made by ``python scripts/build_results.py`` from the trainings
in docs/results/ranking. Imports no torch.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("evidence.json")
Interval = tuple[float, float, float]
"""A correlation, and its 95% interval over networks."""


@dataclass(frozen=True)
class Evidence:
    """What is known of one recipe on one id.

    Attributes:
        recipe: digest of the recipe without its arithmetic.
        name: what people call it: ``quick``, or its settings in words.
        networks: random ones of the id's default depth, each trained by this recipe and by a long
            one.
        spearman: of one training by this recipe with the long score.
        given_size: the same given the logarithm of multiply-accumulates; None where all networks
            of the id have the same, and where too few were measured.
    """

    recipe: str
    name: str
    networks: int
    spearman: Interval
    given_size: Interval | None = None

    @property
    def ranks(self) -> bool:
        """Whether the order of networks is clearly better than chance."""
        return self.spearman[1] > 0

    @property
    def beats_size(self) -> bool:
        """Whether it tells clearly more than the size of a network."""
        return self.given_size is None or self.given_size[1] > 0

    def words(self) -> str:
        """One sentence, without its full stop."""
        told = f"a long training with Spearman's correlation {correlation(self.spearman)}"
        if self.given_size is not None:
            told += f", {correlation(self.given_size)} given their size"
        if not self.ranks:
            return f"`{self.name}` may rank by chance: {self.networks} random networks like {told}"
        doubt = "" if self.beats_size else ": perhaps no better than their size alone"
        return f"`{self.name}` orders {self.networks} random networks like {told}{doubt}"


UNKNOWN = "how well this recipe ranks networks has not been measured"


def correlation(interval: Interval) -> str:
    """As in ``.78 (.58 to .87)``."""
    value, low, high = (f"{x:.2f}".replace("0.", ".") for x in interval)
    return f"{value} ({low} to {high})"


def evidence_of(env_id: str, recipe: str) -> Evidence | None:
    """What is known of the recipe with this ``seed_digest`` on an id."""
    return next((one for one in measured(env_id) if one.recipe == recipe), None)


def measured(env_id: str) -> tuple[Evidence, ...]:
    """All recipes that were measured on an id."""
    return tuple(_evidence(row) for row in _table().get(env_id, ()))


@cache
def _table() -> Mapping[str, list[dict[str, Any]]]:
    table: dict[str, list[dict[str, Any]]] = json.loads(FILE.read_text(encoding="utf-8"))
    return table


def _evidence(row: Mapping[str, Any]) -> Evidence:
    a, b, c = row["spearman"]
    given = row["given_size"]
    return Evidence(
        row["recipe"],
        row["name"],
        row["networks"],
        (a, b, c),
        None if given is None else (given[0], given[1], given[2]),
    )
