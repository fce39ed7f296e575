"""Trees of source files, from a folder, a repository or a bundle: copied, read, built and started."""
