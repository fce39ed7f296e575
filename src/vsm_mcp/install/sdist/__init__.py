"""Source distributions of Python projects: what they say of themselves, and the wheel that is built of one."""
