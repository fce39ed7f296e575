"""System 4, intelligence: judging a third-party server before and after its first run.

Checks (one file each) look at a :class:`~vsm_mcp.vetting.check.Subject`, the trial runs it once in the sandbox,
``judge`` turns the results into one judgement, ``pins`` keep what was approved. ``docs/reference/vetting.md`` lists
every rule.
"""
