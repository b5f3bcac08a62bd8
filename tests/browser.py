"""Pages as a reader without network sees them: in chromium, which says what they ask and lack."""

import io
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from playwright.sync_api import (
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Request,
    WebSocket,
    sync_playwright,
)

LOCAL = re.compile("(file|data|blob|about):")


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
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-quic"]
        )
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
