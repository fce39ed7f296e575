"""Inert re-creations of known incidents: never executed, told by the rule that must catch them."""
