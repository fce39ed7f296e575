"""System 3, control: how servers are, what ails them before it shows, and what is done about it, rung by rung.

Pure: :mod:`diagnose`, :mod:`trend`, :mod:`ladder`, :mod:`history`, :mod:`traffic`, :mod:`schedule`. Checks and remedies
are plug-ins, one file each; what they look at and act with is passed in.
"""
