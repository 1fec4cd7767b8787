"""The use cases: load, let the domain decide, store, and make work due, in one transaction."""
