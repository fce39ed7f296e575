"""System 4, intelligence: what a candidate is worth for a need, and why.

One file for each criterion, all pure; ``weights`` says how they count, ``rank`` puts candidates in order.
"""
