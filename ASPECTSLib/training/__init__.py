"""Training of the networks: losses, data, trainer and recipes."""
