"""Finalise a search; the same as `nas-env finalise`."""

from agents.command import run_script

if __name__ == "__main__":
    run_script("agents.commands.finalise:main")
