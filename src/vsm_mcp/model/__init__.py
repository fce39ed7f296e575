"""The nouns, as frozen msgspec structs; no input or output.

Need → Candidate → Appraisal → Installation → TrialReport → Server → tool, and the Action, Verdict and Finding that
travel with them. One module per noun.
"""
