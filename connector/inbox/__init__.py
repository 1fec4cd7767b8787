"""Mail that comes in: how much of it is looked at, what it means, and who wrote it."""
