"""The network of a sandbox: an allow-list by host name and port that any program obeys without knowing of it.

A sandbox has a network namespace of its own with nothing but ``lo``. Before its program runs, :mod:`namespace` enters
it, makes every address there a local one and listens on the allowed ports; the sockets go to the daemon. :mod:`gate`
serves them: DNS gives each allowed name a made-up address, and what connects to it is passed on (:mod:`relay`) to the
real one, if that is a public address or one that was allowed itself. Nothing else leads out.
"""
