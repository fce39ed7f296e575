"""System 4, intelligence: who vouches for a package: its registry's signature, and where it was built."""
