"""Who may ask the page's server what: the right host, the same origin, the token, small requests.

A page on another site can make a browser send requests here, and a name that its owner points at
127.0.0.1 makes them look local. So hosts are only those that are meant, whatever changes something
must be JSON from the same origin, and where others can reach the port there is a token.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import secrets
import socket
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .._texts import list_of_texts

LARGEST = 64 * 1024  # bytes of a request: names, labels and notes are short
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The user's HTML and images opened by themselves: no script, no origin, nothing from elsewhere.
CONTENT_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; "
    "font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def known_hosts(host: str, allowed: Iterable[str] = ()) -> frozenset[str]:
    """Names under which a server that listens on `host` is asked, addresses apart."""
    names = {"localhost", host, *list_of_texts("allowed_hosts", allowed)}
    if not is_loopback(host):
        names |= {socket.gethostname(), socket.getfqdn()}
    return frozenset(name.lower() for name in names)


class Guard:
    """ASGI middleware that lets only requests through that the page itself makes.

    Parameters
    ----------
    app : ASGI application
    hosts : collection of str
        Names that the Host header may have; an address of this machine's may always be there
        where there is a token, and a loopback address where there is none.
    token : str or None
        What the address or the cookie must have.
    largest : int
        Bytes that a request may have.
    """

    def __init__(
        self, app: Any, hosts: Iterable[str], token: str | None, *, largest: int = LARGEST
    ) -> None:
        self.app = app
        self.hosts = frozenset(hosts)
        self.token = token
        self.largest = largest
        # Browsers send cookies to all ports of a host: pages beside each other have their own.
        self.cookie = f"skactive_{hashlib.sha256((token or '').encode()).hexdigest()[:8]}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer, or hand the request on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError("the page has no other connections than HTTP")
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        refused = self._refusal(scope, headers)
        if refused is not None:
            await _refuse(send, *refused)
            return
        body = await _body(receive, self.largest) if scope["method"] == "POST" else b""
        if body is None:
            await _refuse(send, 413, f"A request may have {self.largest} bytes.")
            return
        answered = _with_headers(send, self._cookie_header(scope))
        await self.app(scope, _once(body), answered)

    def _refusal(self, scope: Any, headers: dict[str, str]) -> tuple[int, str] | None:
        """Status and words for a request that is not let through."""
        host = headers.get("host", "")
        if not self._host_is_meant(host):
            return 421, (
                f"This server is not called {host!r}. Open the address that it printed, or start "
                f"it with allowed_hosts=[{_name_of(host)!r}]."
            )
        if not self._has_token(scope, headers):
            return 403, "Open the address that the server printed: it has a token in it."
        if scope["method"] == "POST":
            return self._foreign(host, headers)
        if scope["method"] not in ("GET", "HEAD"):
            return 405, f"{scope['method']} is not for this server."
        if scope["path"] != "/" and headers.get("sec-fetch-site") == "cross-site":
            return 403, "Another site asked for this."
        return None

    def _foreign(self, host: str, headers: dict[str, str]) -> tuple[int, str] | None:
        """A request that changes something must be the page's own, or a program's."""
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return 415, "Send JSON: Content-Type: application/json."
        origin = headers.get("origin")
        same_site = headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
        if not same_site or (
            origin is not None and urlsplit(origin).netloc.lower() != host.lower()
        ):
            return 403, "Another site asked for this."
        if not headers.get("content-length", "0").isdecimal():
            return 400, "Content-Length is no number."
        if int(headers.get("content-length", "0")) > self.largest:
            return 413, f"A request may have {self.largest} bytes."
        return None

    def _host_is_meant(self, header: str) -> bool:
        name = _name_of(header)
        if name in self.hosts:
            return True
        try:
            address = ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return address.is_loopback or self.token is not None  # no name, so none was re-pointed

    def _has_token(self, scope: Any, headers: dict[str, str]) -> bool:
        if self.token is None:
            return True
        try:
            given = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            given = None
        return any(
            secrets.compare_digest(one.encode(), self.token.encode())
            for one in [*_token_in(scope), given.value if given is not None else ""]
        )

    def _cookie_header(self, scope: Any) -> dict[str, str]:
        if self.token is None or not _token_in(scope):
            return {}
        return {"Set-Cookie": f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict"}


def _token_in(scope: Any) -> list[str]:
    return parse_qs(scope["query_string"].decode("latin-1")).get("token", [])


def _name_of(host: str) -> str:
    """The name of a Host header, lower case and without its port."""
    name = host.lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0]


async def _body(receive: Any, largest: int) -> bytes | None:
    """All of a request's body; None as soon as it is too long, whatever its header said."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > largest:
            return None
    return bytes(body)


def _once(body: bytes) -> Any:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _with_headers(send: Any, own: dict[str, str]) -> Any:
    added = [(k.lower().encode(), v.encode()) for k, v in {**_HEADERS, **own}.items()]

    async def answer(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return answer


async def _refuse(send: Any, status: int, words: str) -> None:
    body = json.dumps({"error": words}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    answer = _with_headers(send, {"Connection": "close"})
    await answer({"type": "http.response.start", "status": status, "headers": headers})
    await answer({"type": "http.response.body", "body": body})
