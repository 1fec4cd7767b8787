"""What is said to people is collected from the code and held against the catalogues: `python -m tests.messages`."""
