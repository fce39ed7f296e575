"""Measures a gateway from outside, as a client: the real program, against the same server without it."""
