"""The paths of the pages, written once: pages are served at them, and letters and calendar services lead to them.

Each function takes what names one page, or, for the web application, the placeholder of it (`<token>`).
"""

from __future__ import annotations

SIGN_IN = "/signin"
SIGN_OUT = "/signout"
SIGN_OUT_EVERYWHERE = "/signout/everywhere"
SIGN_OUT_ELSEWHERE = "/signout/elsewhere"  # of one other browser
ACCOUNT = "/account"
AWAY = "/away"
ANSWERS = "/answer"  # no page: what is below it is
WEEK = "/"  # where practitioners come in
SESSIONS = "/sessions"
NEW_SESSION = f"{SESSIONS}/new"
CALENDARS = "/calendars"
CLIENTS = "/clients"
SUPPORT = "/support"
SUPPORT_SIGN_IN = "/support/signin"
SUPPORT_SIGN_OUT = "/support/signout"
SUBSCRIPTION = "/subscription"
NOTIFICATIONS = "/hooks"
API = "/api/v1"  # no page: hosts' programs act there
METRICS = "/metrics"  # no page, like the next
READINESS = "/readyz"  # no page: programs ask there
LIVENESS = "/healthz"  # likewise
OWN = frozenset(
    {
        "absence",
        "account",
        "answer",
        "api",
        "away",
        "calendars",
        "clash",
        "clients",
        "connect",
        "deliveries",
        "feed",
        "healthz",
        "hooks",
        "mail",
        "metrics",
        "mine",
        "question",
        "readyz",
        "robots.txt",
        "s",
        "sessions",
        "signin",
        "signout",
        "static",
        "stopped",
        "subscription",
        "support",
    }
)
"""What paths begin with here: a prefix that did, too, could not be told from it."""


def sign_in(token: str) -> str:
    """Return the path at which a mailed sign-in link is used."""
    return f"{SIGN_IN}/{token}"


def support_sign_in(token: str) -> str:
    """Return the path at which a sign-in link that was mailed to support is used."""
    return f"{SUPPORT_SIGN_IN}/{token}"


def answer(token: str) -> str:
    """Return the path of the client's page of an offer."""
    return f"{ANSWERS}/{token}"


def assertion() -> str:
    """Return the path at which a host hands over who answers an offer: no token of a link is as short."""
    return answer("assertion")


def mine(token: str) -> str:
    """Return the path of a client's own page of a session."""
    return f"/mine/{token}"


def subscription(token: str) -> str:
    """Return the path of the page on which a client subscribes to their sessions, or is invited to them again."""
    return f"{SUBSCRIPTION}/{token}"


def published(token: str) -> str:
    """Return the path at which programs fetch a calendar that somebody subscribes to."""
    return f"/feed/{token}.ics"


def short(token: str) -> str:
    """Return the path of a link in a text."""
    return f"/s/{token}"


def texts(token: str) -> str:
    """Return the path at which a gateway tells what becomes of texts, and what people answer to them."""
    return f"{NOTIFICATIONS}/sms/{token}"


def question(token: str) -> str:
    """Return the path of the page on which a practitioner answers a question."""
    return f"/question/{token}"


def absence(token: str) -> str:
    """Return the path of the page on which a practitioner says what an absence means for their sessions."""
    return f"/absence/{token}"


def mail(token: str) -> str:
    """Return the path of the page on which a practitioner decides about a mail of their client's."""
    return f"/mail/{token}"


def paused(token: str) -> str:
    """Return the path of the page on which a practitioner says how a paused calendar goes on."""
    return f"/stopped/{token}"


def conflict(token: str) -> str:
    """Return the path of the page on which a practitioner takes back an offered time that is no longer free."""
    return f"/clash/{token}"


def connect(token: str) -> str:
    """Return the path of the pages by which a practitioner whom their host sends connects one account."""
    return f"/connect/{token}"


def deliveries(token: str) -> str:
    """Return the path of the page on which somebody with a link from the command line looks at deliveries."""
    return f"/deliveries/{token}"


def session(session_id: str) -> str:
    """Return the path of the practitioner's page of a session."""
    return f"{SESSIONS}/{session_id}"


def session_called(name: str) -> str:
    """Return the path that leads to the session, or to its page of an offer, of a host's own id or of ours."""
    return f"{SESSIONS}/called/{name}"


def offer(session_id: str) -> str:
    """Return the path of the practitioner's page on which other times are offered for a session."""
    return f"{session(session_id)}/offer"


def support_session(session_id: str) -> str:
    """Return the path of the page of a session for somebody of a host's support."""
    return f"{SUPPORT}/sessions/{session_id}"


def client(client_id: str) -> str:
    """Return the path of the practitioner's page of a client."""
    return f"{CLIENTS}/{client_id}"


def connection(connection_id: str) -> str:
    """Return the path of the practitioner's page of a connection."""
    return f"{CALENDARS}/{connection_id}"


def sign_in_answer(slug: str) -> str:
    """Return the path to which a calendar service sends people back once they have signed in there."""
    return f"{CALENDARS}/{slug}/back"


MAILED = tuple(
    path("")
    for path in (
        sign_in,
        support_sign_in,
        answer,
        mine,
        subscription,
        short,
        question,
        absence,
        mail,
        paused,
        conflict,
        connect,
        deliveries,
    )
)
"""What the paths begin with that hold a token, and to which letters, texts, hosts and commands lead."""
