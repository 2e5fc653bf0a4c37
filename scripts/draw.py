"""Draw an architecture, or what a search chose over time; the same as `nas-env draw`."""

from agents.command import run_script

if __name__ == "__main__":
    run_script("agents.commands.draw:main")
