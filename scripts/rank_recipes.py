"""Measure how well short recipes rank networks: `python scripts/rank_recipes.py --help`."""

from agents.command import run_script

if __name__ == "__main__":
    run_script("agents.ranking.command:main")
