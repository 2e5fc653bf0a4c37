"""Compare networks by one recipe; the same as `nas-env compare-networks`."""

from agents.command import run_script

if __name__ == "__main__":
    run_script("agents.commands.compare_networks:main")
