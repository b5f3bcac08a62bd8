"""Pages as a reader without network sees them: in chromium, which says what they ask and lack."""

import io
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Literal

import numpy as np
from PIL import Image
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Request,
    WebSocket,
    sync_playwright,
)

LOCAL = re.compile("(file|data|blob|about):")
LOOPBACK = re.compile(r"(http|ws)://127\.0\.0\.1:")
# Debian's chromium looks for updates and the like, whatever page it shows; of what pages ask there,
# `Elsewhere` learns from the page.
CHROMIUMS_OWN = re.compile(r"[A-Z]+ (https?://)?[\w.-]+\.(google|googleapis)\.com[:/]")


@dataclass
class Opened:
    """A page; what it asked of the network, and its errors, until now."""

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def note_request(self, request: Request | WebSocket) -> None:
        if not LOCAL.match(request.url):
            self.requests.append(request.url)

    def note_message(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def note_error(self, error: Error) -> None:
        self.errors.append(str(error))


@contextmanager
def opened(
    path: Path,
    width: int = 1200,
    height: int = 900,
    colours: Literal["light", "dark"] = "light",
) -> Iterator[Opened]:
    """Open a file from disk; whatever else it requests is recorded and refused."""
    with chromium() as browser:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=colours, offline=True
        )
        context.route(lambda url: not LOCAL.match(url), lambda route: route.abort())
        seen = Opened(context.new_page())
        seen.page.on("request", seen.note_request)
        seen.page.on("websocket", seen.note_request)
        seen.page.on("console", seen.note_message)
        seen.page.on("pageerror", seen.note_error)
        seen.page.goto(path.as_uri())
        yield seen


@dataclass
class Elsewhere:
    """All other machines, played by a proxy that refuses everything.

    Attributes
    ----------
    url : str
        For a browser, or for a server's HTTPS_PROXY.
    requests : list of str
        What was asked of them, as in `CONNECT mlflow.org:443 HTTP/1.1`.
    """

    url: str
    requests: list[str] = field(default_factory=list)

    def note_asked(self, line: str) -> None:
        if not CHROMIUMS_OWN.match(line):
            self.requests.append(line)

    def note_request(self, request: Request | WebSocket) -> None:
        if not LOCAL.match(request.url) and not LOOPBACK.match(request.url):
            self.requests.append(request.url)


@contextmanager
def elsewhere() -> Iterator[Elsewhere]:
    """Stand in for all other machines."""

    class Refusal(StreamRequestHandler):
        def handle(self) -> None:
            others.note_asked(self.rfile.readline().decode("latin-1").strip())

    with ThreadingTCPServer(("127.0.0.1", 0), Refusal) as server:
        others = Elsewhere(f"http://127.0.0.1:{server.server_address[1]}")
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield others
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def visited(url: str, others: Elsewhere, width: int = 1400, height: int = 800) -> Iterator[Page]:
    """Open a page of a server on 127.0.0.1, in a browser that asks `others` for all the rest."""
    with chromium(others) as browser:
        page = browser.new_page(viewport={"width": width, "height": height})
        page.on("request", others.note_request)
        page.on("websocket", others.note_request)
        page.goto(url)
        yield page


@contextmanager
def chromium(others: Elsewhere | None = None) -> Iterator[Browser]:
    """Start the browser of the system, closed when the test ends."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-quic"],
            proxy={"server": others.url, "bypass": "127.0.0.1"} if others else None,
        )
        yield browser
        browser.close()


def is_drawn(element: Locator, colours: int = 20) -> bool:
    """Whether an element shows something: more than a few colours, and not nearly all one."""
    picture = Image.open(io.BytesIO(element.screenshot())).convert("RGB")
    pixels = np.asarray(picture).reshape(-1, 3)
    counts = np.unique(pixels, axis=0, return_counts=True)[1]
    return bool(len(counts) >= colours and counts.max() < 0.995 * len(pixels))


def save_picture(png: bytes, path: Path) -> None:
    """Write a screenshot with 128 colours, which is small and looks the same."""
    Image.open(io.BytesIO(png)).convert("RGB").quantize(128).save(path, optimize=True)
