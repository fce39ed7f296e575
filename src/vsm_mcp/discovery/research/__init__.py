"""System 4, intelligence: a language model that is asked which packages could meet a need, and is not believed.

``question`` writes the request and reads the answer (pure), ``post`` makes the one request, ``source`` keeps answers
and counts questions, and has every package confirmed by its registry before it counts.
"""
