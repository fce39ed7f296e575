"""The saga of an admission, one module for each stretch of its way.

``passage`` writes every step and the plan to the store before the step begins, and takes back what did not reach its
end. ``order`` says what is asked for and whether that is allowed, ``installing`` does resolve → fetch → vet → build,
``proving`` tries and judges, ``activating`` commits. ``admit`` is the whole way for one reference.

Whatever ends an admission before its server is in the catalogue (an error, a cancellation, ``kill -9``) is undone:
nothing of it stays on disk but its evidence.
"""
