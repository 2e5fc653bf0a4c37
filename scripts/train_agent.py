"""Search for networks: `python scripts/train_agent.py --agent reinforce`, or `nas-env train`."""

from agents.command import run_script

if __name__ == "__main__":
    run_script("agents.commands.train:main")
