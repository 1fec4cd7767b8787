"""The human door: pages for clients and practitioners."""
