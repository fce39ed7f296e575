"""The way in to a program that listens inside its sandbox, where the host's network does not lead.

A socket belongs to the network namespace that it was made in, whoever holds it and connects it later. So a short-lived
program goes in and makes some (:mod:`inside`), hands them out, and is gone; the daemon connects them when it needs them
(:mod:`dialer`). Nothing of ours stays inside, nothing is bound or relayed outside, and two sandboxes can use the same
port without knowing of one another.
"""
