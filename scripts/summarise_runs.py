"""Print what finished runs show; the same as `nas-env summarise`."""

from agents.command import run_script

if __name__ == "__main__":
    run_script("agents.commands.summarise:main")
