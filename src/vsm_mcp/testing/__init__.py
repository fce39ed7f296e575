"""Public doubles for tests: servers that misbehave in a chosen way. Imported by nobody in the product."""
