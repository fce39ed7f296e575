"""System 2, coordination: which server answers a call, and under which name.

Pure: nothing here does I/O. Names are a function of the server's name and the item's own name alone, so they stay
the same when other servers come and go.
"""
