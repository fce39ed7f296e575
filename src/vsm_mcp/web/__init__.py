"""System 3, control: the control API of a running daemon, on a socket that only its owner can open.

The command line is its first client; the dashboard, metrics and the event stream come to live here too.
"""
