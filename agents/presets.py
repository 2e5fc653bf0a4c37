"""Every number of every preset: budget, recipe, schedule and hyper-parameters that belong together.

``paper`` is the paper's search (Zoph & Le 2017, sections 4.1 and 4.2). ``fast`` and ``quick`` have
too few updates for a learning rate of 6e-4, which moves the policy visibly only after hundreds of
updates, so theirs is larger. Learning rates were chosen on the complete table NAS-Bench-Macro
(6,561 networks, m = 8). Mean accuracy of the last 32 of 128 children: random search .9009; 3.5e-3
.9036; 8e-3 .9201; 2e-2 .9275; 4e-2 .9262. Last 100 of 400: random .9016; .9259; .9284; .9295;
.9276. Last 100 of 1,000: random .9055; 3.5e-3 .9305.

A large learning rate alone settles on the first good networks. Avoiding repeats keeps the search
going until the policy has decided: on two tables it then finds at least as much as evolution with a
few hundred children (docs/results/tables.md). With real children it did neither better nor worse
than 2e-2 alone (400 of ``NAS-Digits-v0``, 3 seeds), and with a growing depth it was not measured,
so their presets are without.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.registry import find_agent, unknown
from agents.search.schedule import DepthSchedule
from nas_env.errors import ConfigurationError


@dataclass(frozen=True)
class Preset:
    """Numbers that belong together, under a name.

    Attributes:
        recipe: name of the recipe that trains children.
        children: budget in children.
        children_per_update: architectures per update.
        hours: budget in hours; None = no limit.
        num_layers: depth of the children; None = the environment's own.
        schedule: growing depth instead, where the search space is deep enough.
        agents: hyper-parameters of each agent that differ from its defaults.
    """

    recipe: str
    children: int
    children_per_update: int = 8
    hours: float | None = None
    num_layers: int | None = None
    schedule: DepthSchedule | None = None
    agents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def options(self, agent: str) -> dict[str, Any]:
        """Hyper-parameters of one agent."""
        find_agent(agent)
        return dict(self.agents.get(agent, {}))


SMALL_BUDGET = {"learning_rate": 2e-2, "hidden_size": 100, "avoid_repeats": True}
"""REINFORCE with a few hundred children."""
MIDDLE_BUDGET = {"learning_rate": 1e-2, "avoid_repeats": True}
"""REINFORCE with about a thousand children: it settles later, and on a slightly better network."""
SMALL_SCREEN = {"hidden_size": 100}
"""Screening with children that are looked up; a policy of 35 units, the default, is faster."""
SMALL_POPULATION = {"population": 24, "tournament": 8}
"""Evolution with a hundred or two children: half of them must be mutations of good ones."""
MIDDLE_POPULATION = {"population": 64, "tournament": 16}
"""Evolution with about a thousand children."""

IMAGE = {
    "quick": Preset(
        recipe="quick",
        children=128,
        num_layers=6,
        agents={"reinforce": {"learning_rate": 2e-2}, "evolution": SMALL_POPULATION},
    ),
    "fast": Preset(
        recipe="fast",
        children=1000,
        schedule=DepthSchedule(first=6, step=2, every=250, last=12),
        agents={
            "reinforce": {"learning_rate": 3.5e-3},
            "evolution": MIDDLE_POPULATION,
        },
    ),
    "paper": Preset(recipe="paper", children=12_800, schedule=DepthSchedule()),
}
"""Convolutional networks."""

LANGUAGE = {
    "quick": Preset(
        recipe="quick",
        children=64,
        agents={"reinforce": {"learning_rate": 2e-2}, "evolution": SMALL_POPULATION},
    ),
    "fast": Preset(
        recipe="fast",
        children=1000,
        agents={
            "reinforce": {"learning_rate": 3.5e-3},
            "evolution": MIDDLE_POPULATION,
        },
    ),
    "paper": Preset(
        recipe="paper",
        children=15_000,
        children_per_update=10,
        agents={"reinforce": {"learning_rate": 5e-4}},
    ),
}
"""Recurrent cells. The paper applies an update after 10 gradients of one child each."""

OTHER = {
    "quick": Preset(
        recipe="quick",
        children=400,
        agents={
            "reinforce": SMALL_BUDGET,
            "evolution": SMALL_POPULATION,
            "screen": SMALL_SCREEN,
        },
    ),
    "fast": Preset(
        recipe="fast",
        children=1000,
        agents={
            "reinforce": MIDDLE_BUDGET,
            "evolution": MIDDLE_POPULATION,
        },
    ),
    "paper": Preset(recipe="paper", children=12_800),
}
"""Environments that train nothing we know of: tables, a user's own."""

PRESETS = {"image": IMAGE, "language": LANGUAGE, "other": OTHER}


def find_preset(name: str, family: str) -> Preset:
    """The preset of a family of tasks.

    Raises:
        ConfigurationError: an unknown name.
    """
    table = PRESETS[family]
    if name not in table:
        raise ConfigurationError(unknown("preset", name, list(table)))
    return table[name]
