"""System 4, intelligence: acquires what is missing.

``acquire`` walks a need through its candidates, ``admit`` takes one reference through the saga (resolve → fetch → vet
→ build → trial → activate), ``undo`` takes any step of it back, ``perform`` is the one door for everything that changes
what runs: ask policy → write the journal → act → publish. ``gaps`` (what is needed and not met) and ``plan`` (what to
do about it) are pure; ``vsm_mcp.app.autopilot_loop`` acts on them.
"""
