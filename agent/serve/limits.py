"""Around the application: who may ask, how long a request may be, and the headers that every answer carries.

The service has no passwords yet, so it answers only under names of this machine: otherwise a web page could point a name of
its own at the loopback address and read along (DNS rebinding).
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.serve.problems import respond

MOST_BYTES = 1 << 20  # of a body
LOOPBACK = ("localhost", "127.0.0.1", "::1")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",  # it is about people
}
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
}


class Limits:
    """ASGI middleware. `hosts`: the names that this server goes by, without a port."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str] = LOOPBACK, most_bytes: int = MOST_BYTES) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        app = self._refusal(scope) or self._app
        await app(scope, self._bounded(receive), _with_headers(send))

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        host = _name(headers.get("host", ""))
        if host not in self._hosts:
            detail = "this server goes by another name"
            return respond(
                scope["path"], 421, "misdirected_request", "Misdirected request", detail, hint="use localhost"
            )
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._most_bytes:
            return respond(scope["path"], 413, "content_too_large", "Content Too Large", self._too_large)
        return None

    @property
    def _too_large(self) -> str:
        return f"a body has at most {self._most_bytes:,} bytes; send more rows in several requests"

    def _bounded(self, receive: Receive) -> Receive:
        """A client may send more than it said, or not say how much (chunked): count."""
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._most_bytes:
                raise HTTPException(413, self._too_large)
            return message

        return counted


def _with_headers(send: Send) -> Send:
    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return dressed


def _name(host: str) -> str:
    """The host without its port; "[::1]:8000" is "::1"."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
