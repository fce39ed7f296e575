"""The built-in health checks, one file each."""
