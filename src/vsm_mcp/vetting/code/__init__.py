"""What the code of a package would do, read and never run.

Python and JavaScript are lowered to one small language (``program``), values are followed through it (``flow``), and
what happens to them is judged by one table of rules (``rules``): a capability and a threat in one place. Patterns
(``patterns``) look at whatever else there is. ``scan`` does it all in a process of its own, within limits.
"""
