"""What the agents and found networks of nas_env are compared with."""
