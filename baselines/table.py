"""The one table of baseline agents, as strings: naming them imports neither torch nor SB3.

Scripts hand it to ``agents.registry.register_agents``; from Python, ``run_search`` knows them after

    from agents.registry import register_agents
    from baselines.table import AGENTS

    register_agents(AGENTS)
"""

AGENTS: dict[str, tuple[str, str]] = {
    "ppo": ("baselines.sb3:PPOAgent", "baselines.sb3_settings:PPOSettings"),
    "a2c": ("baselines.sb3:A2CAgent", "baselines.sb3_settings:A2CSettings"),
    "maskable_ppo": ("baselines.sb3:MaskablePPOAgent", "baselines.sb3_settings:PPOSettings"),
    "recurrent_ppo": (
        "baselines.sb3:RecurrentPPOAgent",
        "baselines.sb3_settings:RecurrentPPOSettings",
    ),
}
"""Name -> ("module:class" of the agent, "module:class" of its settings)."""
