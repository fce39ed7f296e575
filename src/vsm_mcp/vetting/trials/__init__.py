"""System 4: what a trial asks of a server beyond whether it can serve: the protocol, its calls, its figures, advice."""
