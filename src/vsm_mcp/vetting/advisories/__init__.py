"""System 4, intelligence: known vulnerabilities and known malicious packages, in the form of OSV."""
