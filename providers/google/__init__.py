"""What Google Calendar says of itself before it is imported."""

from connector.ports import Declaration, Registration

DECLARATION = Declaration(
    slug="google",
    registration=Registration(
        prefix="GOOGLE",
        service="Google",
        client_id="Client ID of your Google Cloud project; empty: Google is not offered.",
    ),
)
