"""How well a short recipe ranks the networks of an environment, measured against a long one."""
