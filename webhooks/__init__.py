"""The calendar services' door."""
