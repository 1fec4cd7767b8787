"""Texts to phones: adapters of gateways, each read as its public documentation tells."""
