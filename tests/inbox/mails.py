"""Mails as others write them to us."""

from __future__ import annotations

from base64 import b64encode

UID = "2f1d7a9e-8c1b-4a54-9a0e-2f5f6f0a1c11"
OURS = "<6c1e2d8a@sessions.example.org>"
CLIENT = "alex@client.example"
ORGANIZER = "r-7f3k@sessions.example.org"


def header(*lines: str, sender: str = f"Alex Sommer <{CLIENT}>") -> str:
    """Return the top of a mail from the client, and the lines that come to it."""
    usual = [f"From: {sender}", f"To: {ORGANIZER}", "Subject: Re: Your session", "Message-ID: <a1@client.example>"]
    return "\r\n".join([*usual, "MIME-Version: 1.0", *lines]) + "\r\n"


def calendar(
    method: str = "REPLY",
    *properties: str,
    partstat: str = "ACCEPTED",
    attendee: str = CLIENT,
    uid: str = UID,
    sequence: str = "SEQUENCE:2",
    organizer: str = ORGANIZER,
) -> str:
    """Return a calendar message of an attendee."""
    lines = [
        *("BEGIN:VCALENDAR", "PRODID:-//Example//Mail//EN", "VERSION:2.0", f"METHOD:{method}", "BEGIN:VEVENT"),
        *(f"UID:{uid}", sequence, "DTSTAMP:20261122T201500Z", f"ORGANIZER:mailto:{organizer}"),
        f"ATTENDEE;CN=Alex Sommer;PARTSTAT={partstat}:mailto:{attendee}",
        *(properties or ("DTSTART:20261203T130000Z", "DTEND:20261203T135000Z")),
        *("END:VEVENT", "END:VCALENDAR", ""),
    ]
    return "\r\n".join(line for line in lines if line or line is lines[-1])


def part(content_type: str, body: str, *lines: str) -> str:
    """Return one part of a mail, its body in base64."""
    coded = b64encode(body.encode(errors="surrogatepass")).decode()
    wrapped = "\r\n".join(coded[at : at + 76] for at in range(0, len(coded), 76))
    return "\r\n".join([f"Content-Type: {content_type}", "Content-Transfer-Encoding: base64", *lines, "", wrapped, ""])


def multipart(kind: str, *parts: str, boundary: str = "=_b1") -> str:
    """Return several parts as one."""
    inside = "".join(f"--{boundary}\r\n{one}\r\n" for one in parts)
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n{inside}--{boundary}--\r\n'


def answer(ics: str | None = None, *lines: str, method: str = "REPLY", sender: str = f"Alex <{CLIENT}>") -> bytes:
    """Return a mail that answers an invitation, as most mail programs write it."""
    words = part("text/plain; charset=utf-8", "Alex Sommer has answered.")
    object_ = part(f"text/calendar; charset=utf-8; method={method}", calendar(method) if ics is None else ics)
    return (header(*lines, sender=sender) + multipart("alternative", words, object_)).encode()


def plain(text: str, *lines: str, sender: str = f"Alex <{CLIENT}>") -> bytes:
    """Return a mail of words alone, written in answer to one of ours."""
    about = (f"In-Reply-To: {OURS}", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit")
    return (header(*lines, *about, sender=sender) + "\r\n" + text).encode()


def bounce(action: str = "failed", status: str = "5.1.1", *, returned: str = OURS) -> bytes:
    """Return a delivery status notification about a letter of ours (RFC 3464)."""
    report = (
        f"Reporting-MTA: dns; mx.client.example\r\n\r\nFinal-Recipient: rfc822; {CLIENT}\r\n"
        f"Action: {action}\r\nStatus: {status}\r\nDiagnostic-Code: smtp; 550 no such user\r\n"
    )
    top = header("Auto-Submitted: auto-replied", sender="Mail Delivery <MAILER-DAEMON@mx.client.example>")
    words = part("text/plain; charset=utf-8", "Your mail could not be delivered.")
    status_part = f"Content-Type: message/delivery-status\r\n\r\n{report}"
    headers = f"Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: {returned}\r\nTo: {CLIENT}\r\n"
    parts = multipart("report; report-type=delivery-status", words, status_part, headers)
    return (top + parts).encode()
