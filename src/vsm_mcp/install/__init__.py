"""System 3, control: the files of one version, fetched without running them, built exactly and taken back whole."""
