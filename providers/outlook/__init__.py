"""What Outlook says of itself before it is imported."""

from connector.ports import Declaration, Registration

DECLARATION = Declaration(
    slug="outlook",
    registration=Registration(
        prefix="MICROSOFT",  # an app is registered with Microsoft; Outlook is one of the services it opens
        service="Microsoft",
        client_id="Application ID of your Entra app registration; empty: Outlook is not offered.",
    ),
)
