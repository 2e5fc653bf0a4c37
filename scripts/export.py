"""Export a trained network; the same as `nas-env export`."""

from agents.command import run_script

if __name__ == "__main__":
    run_script("agents.commands.export:main")
