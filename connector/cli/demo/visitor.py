"""A person with a browser, as far as the demo needs one: opens pages, fills forms in, presses buttons."""

from __future__ import annotations

import http.cookiejar
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

import lxml.html


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page as it was shown."""

    url: str
    status: int
    tree: lxml.html.HtmlElement

    @property
    def text(self) -> str:
        """The words on it."""
        return " ".join(self.tree.text_content().split())


class Visitor:
    """Somebody at a browser of their own, with their own cookies; `trusted` are the certificates it trusts."""

    def __init__(self, *, trusted: ssl.SSLContext | None = None) -> None:
        self.cookies = http.cookiejar.CookieJar()
        keeping, https = urllib.request.HTTPCookieProcessor(self.cookies), urllib.request.HTTPSHandler(context=trusted)
        self._opener = urllib.request.build_opener(keeping, https)

    def open(self, url: str) -> Page:
        """Open an address."""
        return self._show(urllib.request.Request(url))  # noqa: S310 - addresses of our own pages

    def follow(self, page: Page, words: str, *, nth: int = 0) -> Page:
        """Follow the nth link with these words.

        Raises: LookupError if the page has none.
        """
        links = [link for link in page.tree.iter("a") if words.lower() in " ".join(link.text_content().split()).lower()]
        if len(links) <= nth:
            raise LookupError(f"no link “{words}” on {page.url}: {page.text[:500]}")
        return self.open(urllib.parse.urljoin(page.url, links[nth].get("href")))

    def press(self, page: Page, words: str, *, fill: dict[str, str] | None = None, nth: int = 0) -> Page:
        """Fill in the form of the nth button with these words, by field name, and press it.

        Raises: LookupError if the page has no such button.
        """
        buttons = [b for b in page.tree.iter("button") if words.lower() in " ".join(b.text_content().split()).lower()]
        if len(buttons) <= nth:
            raise LookupError(f"no button “{words}” on {page.url}: {page.text[:500]}")
        button = buttons[nth]
        form = next(button.iterancestors("form"))
        values = dict(form.form_values()) | (fill or {})
        if button.get("name"):
            values[button.get("name")] = button.get("value", "")
        target = urllib.parse.urljoin(page.url, button.get("formaction") or form.get("action") or page.url)
        if (form.get("method") or "get").lower() == "get":
            return self.open(f"{target}?{urllib.parse.urlencode(values)}")
        data = urllib.parse.urlencode(values).encode()
        headers = {"Referer": page.url}
        return self._show(urllib.request.Request(target, data=data, headers=headers))  # noqa: S310 - as above

    def _show(self, request: urllib.request.Request) -> Page:
        try:
            with self._opener.open(request, timeout=20) as answer:
                return Page(url=answer.url, status=answer.status, tree=lxml.html.fromstring(answer.read()))
        except urllib.error.HTTPError as error:
            return Page(url=error.url or "", status=error.code, tree=lxml.html.fromstring(error.read()))
