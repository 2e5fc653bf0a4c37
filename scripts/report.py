"""Write the report of finished or running searches; the same as `nas-env report`."""

from agents.command import run_script

if __name__ == "__main__":
    run_script("agents.commands.report:main")
