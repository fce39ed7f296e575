"""System 4, intelligence: looking out for servers that could meet a need.

Sources (catalogue, shipped index, what is installed) are asked in parallel (``engine``), what they say is screened
(``screen``), merged (``merge``) and compared with the need; ``describe`` fetches the registry's facts of the best.
"""
