"""Train one architecture, or repeat the best child of a run; the same as `nas-env evaluate`."""

from agents.command import run_script

if __name__ == "__main__":
    run_script("agents.commands.evaluate:main")
