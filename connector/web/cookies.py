"""Cookies that every web process reads alike, however far the clocks of their machines are apart."""

from __future__ import annotations

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from connector.ports import Clock


class SignedCookies(SecureCookieSessionInterface):
    """Signs cookies with the installation's time: one that seems to come from the future would be refused."""

    def __init__(self, clock: Clock) -> None:
        class Signer(TimestampSigner):
            def get_timestamp(self) -> int:
                return int(clock().timestamp())

        self._signer = Signer

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Return what signs and reads the cookies of an application."""
        serializer = super().get_signing_serializer(app)
        if serializer is not None:
            serializer.signer = self._signer
        return serializer
