"""What CalDAV says of itself before it is imported."""

from connector.ports import Declaration

DECLARATION = Declaration(slug="caldav")
