"""A network among its neighbours; the same as `nas-env perturb`."""

from agents.command import run_script

if __name__ == "__main__":
    run_script("agents.commands.perturb:main")
