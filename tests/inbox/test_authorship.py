from __future__ import annotations

import base64
from functools import cache

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from connector.errors import TransientError
from connector.inbox.authorship import Keys, Proof, prove
from connector.inbox.bounds import bounded
from tests.inbox import mails

SERVER = "mx.sessions.example.org"
SIGNED = [b"from", b"to", b"subject", b"message-id", b"content-type", b"mime-version"]
PASSED = "dmarc=pass (p=none dis=none) header.from=client.example"


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def record(extra: str = "") -> bytes:
    public = private_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa;{extra} p={base64.b64encode(public).decode()}".encode()


def keys(extra: str = "") -> Keys:
    known = {"k1._domainkey.client.example.": record(extra), "k1._domainkey.evil.example.": record()}
    return known.get


def nobody(_name: str) -> bytes | None:
    raise AssertionError("nobody is to be asked")


def signed(data: bytes | None = None, *, domain: bytes = b"client.example", **how: object) -> bytes:
    pem = private_key().private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    mail = mails.answer() if data is None else data
    usual = {"include_headers": SIGNED, "canonicalize": (b"relaxed", b"relaxed")}
    header: bytes = dkim.sign(mail, b"k1", domain, pem, **usual | how)
    return header + mail


def proof(data: bytes, *, server: str = "", found: Keys | None = None) -> Proof:
    return prove(bounded(data), server=server, keys=found or keys())


def found(*values: str, server: str = SERVER, sender: str = f"Alex <{mails.CLIENT}>") -> Proof:
    results = "".join(f"Authentication-Results: {server}{value}\r\n" for value in values)
    return proof(results.encode() + mails.answer(sender=sender), server=SERVER, found=lambda _name: None)


def test_a_signature_of_the_authors_domain_proves_who_wrote_it() -> None:
    assert proof(signed()) is Proof.SIGNATURE


def test_a_domain_signs_for_what_is_below_it() -> None:
    below = mails.answer(sender="alex@mail.client.example")
    assert proof(signed(below)) is Proof.SIGNATURE


@pytest.mark.parametrize(
    "data",
    [
        mails.answer(),
        signed(domain=b"evil.example"),
        signed(mails.answer(sender="alex@example"), domain=b"client.example"),
        signed(length=True),
        signed(signature_algorithm=b"rsa-sha1"),
        signed().replace(b"Re: Your session", b"Re: My session"),
        signed() + b"\r\nmore\r\n",
        b"From: sam@client.example\r\n" + signed(),
        b"Content-Type: multipart/mixed; boundary=x\r\n" + signed(),
        b"DKIM-Signature: v=1; a=rsa-sha256; d=client.example; s=k1; h=from; b=%%%; bh=%%%\r\n" + mails.answer(),
        b"DKIM-Signature: ;;;=\r\n" + mails.answer(),
        b" folded\r\n" + signed(),
    ],
    ids=[
        *("unsigned", "another domain", "a domain below", "part of the body", "sha1", "a changed header"),
        *("an appended part", "a second From", "a second Content-Type", "no signature", "no tags", "no header"),
    ],
)
def test_whatever_is_wrong_with_a_signature_it_proves_nothing(data: bytes) -> None:
    assert proof(data) is Proof.NONE


@pytest.mark.parametrize("found", [lambda _name: None, lambda _name: b"", lambda _name: b"p=%%%", keys(" t=y;")])
def test_a_key_that_is_missing_broken_or_tried_out_proves_nothing(found: Keys) -> None:
    assert proof(signed(), found=found) is Proof.NONE


def test_a_key_that_nobody_can_look_up_now_is_not_a_missing_one() -> None:
    def later(_name: str) -> bytes | None:
        raise TransientError("the DNS does not answer")

    with pytest.raises(TransientError):
        proof(signed(), found=later)


@pytest.mark.parametrize(
    "value",
    [
        f"; {PASSED}",
        f" 1; spf=pass smtp.mailfrom=client.example; dkim=pass header.d=client.example; {PASSED}",
        "; dkim=pass (2048-bit key; (nested) secure) header.d=client.example header.b=abc",
        "; dkim=fail header.d=evil.example; dkim = pass header.i=@client.example",
        "; dmarc=none header.from=client.example; dkim=pass header.d=client.example",
        '; dkim=pass reason="good; signature" header.d="client.example"',
    ],
)
def test_what_our_own_mail_server_has_found_proves_who_wrote_it(value: str) -> None:
    assert found(value) is Proof.SERVER


@pytest.mark.parametrize(
    "value",
    [
        "; none",
        "",
        "; spf=pass smtp.mailfrom=client.example",
        "; dkim=pass header.d=evil.example",
        "; dkim=pass header.d=mail.client.example",
        "; dkim=pass",
        "; dmarc=fail header.from=client.example; dkim=pass header.d=client.example",
        "; dmarc=pass header.from=evil.example",
        "; dmarc=pass",
        f'; spf=fail reason="a; {PASSED}"',
        f"; spf=fail (a; {PASSED})",
        f"; spf=fail (a \\) ; {PASSED} )",
        f"; {PASSED}; dmarc=fail header.from=client.example",
        "; arc=pass (as[1].d=client.example)",
        f"; {PASSED}" + " " * 5_000,
    ],
)
def test_what_our_own_mail_server_has_not_found_proves_nothing(value: str) -> None:
    assert found(value) is Proof.NONE


def test_the_word_of_another_server_proves_nothing() -> None:
    assert found(f"; {PASSED}", server="mx.evil.example") is Proof.NONE


def test_what_stands_below_the_word_of_another_server_proves_nothing() -> None:
    ours, theirs = (
        f"Authentication-Results: {SERVER}; {PASSED}\r\n",
        "Authentication-Results: mx.evil.example; none\r\n",
    )
    data = (theirs + ours).encode() + mails.answer()
    assert proof(data, server=SERVER) is Proof.NONE


def test_a_forged_word_of_our_server_below_its_own_changes_nothing() -> None:
    assert found("; dmarc=fail header.from=client.example", f"; {PASSED}") is Proof.NONE


def test_a_signature_counts_where_our_server_says_nothing_and_not_against_its_word() -> None:
    refused = f"Authentication-Results: {SERVER}; dmarc=fail header.from=client.example\r\n".encode()
    assert proof(signed(), server=SERVER) is Proof.SIGNATURE
    assert proof(refused + signed(), server=SERVER, found=nobody) is Proof.NONE


def test_a_mail_with_two_authors_is_of_neither() -> None:
    assert found(f"; {PASSED}", sender=f"{mails.CLIENT}, sam@evil.example") is Proof.NONE
