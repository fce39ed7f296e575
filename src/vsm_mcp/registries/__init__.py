"""System 4, intelligence: package registries, as this machine is configured to reach them."""
