"""The animated tour of the documents, written as APNG (PNG 3rd edition, "animation") by a small writer of our own.

In → screenshots with the moment each was taken. Out → one file: a palette of at most 256 colours for all frames, each frame only the
rectangle that changed, each shown as long as it was true. The browser decodes and compresses (a canvas and CompressionStream), Python puts
the chunks together. Errors: `TooLarge` when the file is larger than it may be.
"""

from __future__ import annotations

import base64
import struct
import time
import zlib
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

LIMIT = 2_000_000
LONGEST_MS = 2500
SCALES = (1.0, 0.8, 0.65, 0.5, 0.42)

WORKSHOP = """<!doctype html><title>workshop</title><canvas></canvas>"""
TOOLS = """(scale) => {
  const canvas = document.createElement("canvas");
  const paint = canvas.getContext("2d", { willReadFrequently: true });
  const counts = new Map();
  let palette = [], nearest = new Map(), before = null;
  const read = async (png) => {
    const bytes = Uint8Array.from(atob(png), (c) => c.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    [canvas.width, canvas.height] = [Math.round(image.width * scale), Math.round(image.height * scale)];
    paint.imageSmoothingQuality = "high";
    paint.drawImage(image, 0, 0, canvas.width, canvas.height);
    return new Uint32Array(paint.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  };
  // Two shades of one that the eye takes for the same are one.
  const coarse = (v) => v & 0xf8f8f8;
  window.count = async (png) => {
    for (const v of await read(png)) { const key = coarse(v); counts.set(key, [(counts.get(key)?.[0] ?? 0) + 1, v & 0xffffff]); }
  };
  window.choose = () => {
    const rows = [...counts].sort((a, b) => b[1][0] - a[1][0]).slice(0, 256);
    palette = rows.map((row) => row[1][1]);
    nearest = new Map(rows.map((row, i) => [row[0], i]));
    return palette;
  };
  const index = (v) => {
    const key = coarse(v);
    const known = nearest.get(key);
    if (known !== undefined) return known;
    let best = 0, least = Infinity;
    for (let i = 0; i < palette.length; i += 1) {
      const p = palette[i];
      const d = ((p & 255) - (v & 255)) ** 2 + (((p >> 8) & 255) - ((v >> 8) & 255)) ** 2 + (((p >> 16) & 255) - ((v >> 16) & 255)) ** 2;
      if (d < least) [least, best] = [d, i];
    }
    nearest.set(key, best);
    return best;
  };
  window.frame = async (png) => {
    const now = Uint8Array.from(await read(png), index);
    const [w, h] = [canvas.width, canvas.height];
    let [left, top, right, bottom] = [w, h, -1, -1];
    for (let i = 0; i < now.length; i += 1) if (!before || now[i] !== before[i]) {
      const x = i % w, y = (i - x) / w;
      if (x < left) left = x; if (x > right) right = x; if (y < top) top = y; if (y > bottom) bottom = y;
    }
    if (right < 0) return null;
    before = now;
    const rows = new Uint8Array((right - left + 2) * (bottom - top + 1));
    for (let y = top; y <= bottom; y += 1) rows.set(now.subarray(y * w + left, y * w + right + 1), (y - top) * (right - left + 2) + 1);
    const packed = new Uint8Array(await new Response(new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"))).arrayBuffer());
    let text = "";
    for (let i = 0; i < packed.length; i += 8192) text += String.fromCharCode(...packed.subarray(i, i + 8192));
    return { left, top, width: right - left + 1, height: bottom - top + 1, data: btoa(text) };
  };
}"""


class TooLarge(Exception):
    """The tour has more bytes than a reader should load."""


class Tour:
    """Frames of one page, as they were seen."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[tuple[float, bytes]] = []

    def shot(self) -> None:
        """What the page shows now."""
        self.frames.append((time.monotonic(), self.page.screenshot()))

    def film(self, seconds: float) -> None:
        """What the page shows, as often as one can look."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.shot()

    def write(self, browser: Browser, target: Path) -> int:
        """Write the APNG as large as its limit allows; its size. Raises TooLarge."""
        for scale in SCALES:
            data = self._made(browser, scale)
            if len(data) <= LIMIT:
                target.write_bytes(data)
                return len(data)
        raise TooLarge(f"{target} would have {len(data)} bytes, more than {LIMIT}")

    def _made(self, browser: Browser, scale: float) -> bytes:
        workshop = browser.new_page()
        workshop.set_content(WORKSHOP)
        workshop.evaluate(TOOLS, scale)
        pictures = [base64.b64encode(png).decode() for _, png in self.frames]
        for picture in pictures[::3] + pictures[-1:]:
            workshop.evaluate("png => count(png)", picture)
        palette = workshop.evaluate("choose()")
        parts: list[tuple[dict[str, Any], float]] = []
        for i, picture in enumerate(pictures):
            took = (self.frames[i + 1][0] - self.frames[i][0]) * 1000 if i + 1 < len(pictures) else LONGEST_MS
            found = workshop.evaluate("png => frame(png)", picture)
            if found is None:
                parts[-1] = (parts[-1][0], parts[-1][1] + took)
            else:
                parts.append((found, took))
        workshop.close()
        return apng(parts, palette)


def apng(parts: list[tuple[dict[str, Any], float]], palette: list[int]) -> bytes:
    """Frames (the first is whole) and how many ms each lasts, as a file."""
    width, height = parts[0][0]["width"], parts[0][0]["height"]
    colours = b"".join(bytes((v & 255, v >> 8 & 255, v >> 16 & 255)) for v in palette)
    out = [b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))]
    out += [_chunk(b"acTL", struct.pack(">II", len(parts), 0)), _chunk(b"PLTE", colours)]
    number = 0
    for i, (part, took) in enumerate(parts):
        ms = round(min(max(took, 20), LONGEST_MS))
        place = (part["width"], part["height"], part["left"], part["top"])
        out.append(_chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, *place, ms, 1000, 0, 0)))
        number += 1
        body = base64.b64decode(part["data"])
        if i == 0:
            out.append(_chunk(b"IDAT", body))
        else:
            out.append(_chunk(b"fdAT", struct.pack(">I", number) + body))
            number += 1
    return b"".join([*out, _chunk(b"IEND", b"")])


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
