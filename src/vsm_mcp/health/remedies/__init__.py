"""The built-in remedies, one file each."""
