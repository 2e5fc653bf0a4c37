"""What the agents and found networks are compared with."""
