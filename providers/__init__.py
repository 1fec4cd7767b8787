"""Calendar services by their proper names: one module a provider, each exposing `PROVIDER`."""
