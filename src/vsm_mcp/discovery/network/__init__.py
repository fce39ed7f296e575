"""What sources on the network have in common: asking within limits, keeping what was said, saying how old it is.

A question goes through ``web`` (rate, retries, cache, what a host asked us to wait); ``get`` makes one request with
its caps; ``backoff`` says how long to pause (pure); ``kept`` is an answer on disk; ``copy`` is a whole list that is
brought up to date in the background; ``scan`` finds entries of such a list; ``secret`` reads what a setting refers to.
"""
