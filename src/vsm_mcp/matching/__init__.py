"""System 4, intelligence: text → ranked things; one index for candidates, tools and needs.

``tokens`` turns text into stems, ``bm25`` ranks documents with fields, ``relevance`` says in 0…1 how much of a need a
thing covers, ``taxonomy`` gives needs and things the same capability tags, ``tools`` ranks tools.
"""
