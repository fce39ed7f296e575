"""System 1, operations: the processes of the servers.

Starting, watching, restarting and stopping them. :class:`supervisor.Runtime` owns all of them; :mod:`restart` decides
without doing; :mod:`cause` tells why one failed.
"""
