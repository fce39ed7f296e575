"""System 1, operations: isolation of a process.

Tiers and what each enforces, limits, mounts, and the processes of third-party code. :func:`probe.probe` says what this
machine can do, :class:`child.Sandbox` starts things in it, :func:`tool.run_tool` runs our own tools.
"""
