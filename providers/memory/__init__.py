"""What the memory service says of itself before it is imported."""

from connector.ports import Declaration

DECLARATION = Declaration(slug="memory", by_default=False)  # it forgets everything with its process
