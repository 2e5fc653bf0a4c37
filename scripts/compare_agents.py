"""Compare agents over paired seeds; the same as `nas-env compare`."""

from agents.command import run_script

if __name__ == "__main__":
    run_script("agents.commands.compare:main")
