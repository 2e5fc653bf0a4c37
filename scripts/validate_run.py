"""Train children of a run again and compare; the same as `nas-env validate-run`."""

from agents.command import run_script

if __name__ == "__main__":
    run_script("agents.commands.validate_run:main")
