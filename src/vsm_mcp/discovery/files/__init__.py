"""System 4, intelligence: servers that are written down somewhere: settings of clients, folders, bundles, kits, lists.

Everything here only reads (``reading``), and takes what it reads for data: no command is run, no word is passed on, no
value of a variable leaves its file (``sighting``).
"""
