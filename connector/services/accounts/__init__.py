"""Accounts at calendar services: sign in, connect, subscribe to changes, receive notifications, disconnect."""
