"""Everything that the API is about, in the order in which its description tells of it."""

from __future__ import annotations

from connector.api import events as told
from connector.api.availability import hours_resource as hours
from connector.api.availability import resource as availability
from connector.api.busy_feeds import resource as busy_feeds
from connector.api.clients import resource as clients
from connector.api.connections import resource as connections
from connector.api.deliveries import events
from connector.api.deliveries import resource as deliveries
from connector.api.endpoints import resource as endpoints
from connector.api.keys import resource as keys
from connector.api.offers import resource as offers
from connector.api.practitioners import resource as practitioners
from connector.api.routes import Route
from connector.api.sessions import resource as sessions
from connector.api.timelines import resource as timelines

RESOURCES = (
    practitioners,
    clients,
    hours,
    availability,
    sessions,
    offers,
    timelines,
    connections,
    busy_feeds,
    keys,
    endpoints,
    deliveries,
    events,
)
ROUTES: tuple[Route, ...] = tuple(route for resource in RESOURCES for route in resource.routes)
EVENTS = tuple(told.every())
