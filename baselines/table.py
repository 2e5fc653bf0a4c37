"""The one table of baseline agents, as strings: naming them imports neither torch nor SB3.

The entry point of this distribution in the group ``nas_env.agents`` names it, so that
``run_search(env, "ppo")`` and every command know them.
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
