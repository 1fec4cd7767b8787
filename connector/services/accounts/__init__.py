"""Accounts at calendar services: connect, watch, hear from, disconnect."""
