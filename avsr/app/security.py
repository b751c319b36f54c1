"""Who is asking, and whether they may: hosts, origins, tokens and owners, checked before anything else of a request."""

from __future__ import annotations

import hmac
import re
import secrets
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from avsr.app.settings import LOOPBACK, Settings

OWNER, TOKEN = "avsr_owner", "avsr_token"  # cookies
_OPEN = ("/healthz",)  # said to everybody
_PAGES = ("/", "/live")
_SAFE = ("GET", "HEAD", "OPTIONS")
_WHIP = re.compile(r"/api/live/rooms/[^/]+/whip(/[^/]+)?")  # has a bearer's token of its own, which who has been let in is told
_YEAR = 365 * 24 * 3600

# The page's own files alone: no other origin's script, picture, frame or form can take part in it.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def refusal(status: int, code: str, message: str, **headers: str) -> JSONResponse:
    """An error as the interface writes it."""
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers)


class Gate:
    """ASGI middleware. What passes has `scope["owner"]`: whose videos the request may see.

    - The Host must be this server's: else another site's name could be made to point here (DNS rebinding).
    - What changes something must not come from another origin, and from a page must carry `X-Requested-With: avsr`, which a form
      of another site cannot send (OWASP, cross-site request forgery).
    - With a token, it must be given: as a bearer's, or once as /?token=..., which then is kept in a cookie.
    - A WebSocket must not come from another origin either, for browsers let every site open one; what it is told there lets it in.
    - A browser owns what it uploads, by a cookie of 128 random bits; a client with a bearer token, what that token has uploaded.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["type"] == "websocket":
            if self._stranger(headers) or self._other_site(headers):
                await send({"type": "websocket.close", "code": 1008})  # before it is accepted, which is a 403
            else:
                await self.app(scope, receive, send)
            return
        cookies = cookie_parser(headers.get("cookie", ""))  # as browsers write them: other servers of this machine have theirs in there
        answer = self._refuse(scope, headers, cookies)
        new: dict[str, str] = {}
        if answer is None:
            bearer = _bearer(headers)
            owner = cookies.get(OWNER, "")
            if bearer:
                owner = f"bearer {bearer if self.settings.token is None else self.settings.token}"
            elif scope["path"] in _PAGES and not _is_id(owner):
                owner = new[OWNER] = secrets.token_hex(16)
            scope["owner"] = owner
            if not bearer and not _is_id(owner) and scope["path"].startswith(("/api/", "/v1/")):
                answer = refusal(403, "forbidden", "open the page first, so that your videos are known as yours, or send a bearer token.")
            given = _query_token(scope)
            if scope["path"] in _PAGES and given and self._is_token(given):
                new[TOKEN] = given
                answer = RedirectResponse(scope["path"], 303)  # so that the token does not stay in the address
        await (answer or self.app)(scope, _receiver(receive, self._most(scope)), _sender(send, new, scope["scheme"] == "https"))

    def _refuse(self, scope: Scope, headers: Headers, cookies: dict[str, str]) -> Response | None:
        if self._stranger(headers):
            return refusal(403, "forbidden", "this server answers to localhost alone; open it under that name.")
        if scope["path"] in _OPEN:
            return None
        if scope["method"] not in _SAFE:
            if self._other_site(headers):
                return refusal(403, "forbidden", "requests of other sites are not taken.")
            if not _bearer(headers) and not scope["path"].startswith("/v1/") and headers.get("x-requested-with") != "avsr":
                return refusal(403, "forbidden", "send the header X-Requested-With: avsr, or a bearer token.")
        if self.settings.token is None or _WHIP.fullmatch(scope["path"]):
            return None
        given = (_bearer(headers), cookies.get(TOKEN, ""), _query_token(scope) if scope["path"] in _PAGES else "")
        if any(self._is_token(one) for one in given if one):
            return None
        if scope["method"] == "GET" and (scope["path"] in _PAGES or scope["path"].startswith("/static/")):
            return None  # the page, which then asks for the token
        return refusal(401, "token", "this server wants its token: as a bearer's, or open /?token=... once.")

    def _stranger(self, headers: Headers) -> bool:
        """Whether this server is called by a name that is not its own."""
        return self.settings.host in LOOPBACK and (_split(f"//{headers.get('host', '')}").hostname or "") not in LOOPBACK

    def _other_site(self, headers: Headers) -> bool:
        """Whether a page of another origin asks."""
        origin = headers.get("origin")
        return origin is not None and _split(origin).netloc != headers.get("host", "")

    def _most(self, scope: Scope) -> int:
        """Bytes that a body may have. What an upload may have is known where it is written to disk."""
        if scope["path"].startswith("/api/uploads/"):
            return 1 << 62
        return self.settings.max_bytes + (2 << 20) if scope["path"].startswith("/v1/") else 64 << 10

    def _is_token(self, given: str) -> bool:
        return self.settings.token is not None and hmac.compare_digest(given.encode(), self.settings.token.encode())


def _receiver(receive: Receive, most: int) -> Receive:
    """A body that is too long ends as if the line were broken, whatever its Content-Length says."""
    come = 0

    async def counted() -> Message:
        nonlocal come
        message = await receive()
        come += len(message.get("body", b""))
        return {"type": "http.disconnect"} if come > most else message

    return counted


def _sender(send: Send, cookies: dict[str, str], secure: bool) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            for name, value in cookies.items():
                headers.append("set-cookie", f"{name}={value}; Path=/; Max-Age={_YEAR}; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}")
        await send(message)

    return with_headers


def _bearer(headers: Headers) -> str:
    kind, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else ""


def _query_token(scope: Scope) -> str:
    from urllib.parse import parse_qs

    return parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]


def _split(address: str) -> SplitResult:
    """An address that is none is that of nobody."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _is_id(value: str) -> bool:
    return len(value) == 32 and all(c in "0123456789abcdef" for c in value)
