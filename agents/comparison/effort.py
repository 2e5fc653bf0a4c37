"""How much each agent's settings were tuned on tables: an agent that was tuned more looks better.

A comparison shows these lines, so that nobody has to guess. Who changes a preset changes its line.
"""

from collections.abc import Mapping

EFFORT: Mapping[str, str] = {
    "random": "no settings",
    "evolution": "1 setting of population and tournament for budgets of a few hundred children",
    "reinforce": "8 settings, 20 seeds each, on the digits table and on NAS-Bench-Macro; 4 rates "
    "before them on NAS-Bench-Macro",
    "screen": "3 settings, 20 or 40 seeds of 100 children each, on the digits table alone",
    "gp": "2 settings, 40 seeds of 100 children each, on the digits table alone",
    "hybrid": "2 settings, 20 seeds of 100 children each, on the digits table alone",
    "ppo": "none tried: Stable-Baselines3's own, but discount and lambda 1",
    "a2c": "none tried: Stable-Baselines3's own, but discount and lambda 1",
    "maskable_ppo": "none tried: sb3-contrib's own, but discount and lambda 1",
    "recurrent_ppo": "none tried: sb3-contrib's own, but discount and lambda 1, and a smaller LSTM",
}
UNKNOWN = "not recorded"


def effort_of(agent: str) -> str:
    """What was tried for an agent, in words."""
    return EFFORT.get(agent, UNKNOWN)
