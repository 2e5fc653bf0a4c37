"""Say what pictures show; the same as `nas-env predict`."""

from agents.command import run_script

if __name__ == "__main__":
    run_script("agents.commands.predict:main")
