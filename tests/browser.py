"""A browser for the tests: headless Chromium, driven through two pipes by its own protocol. No
package is needed.

https://chromedevtools.github.io/devtools-protocol/ has the commands.
"""

import base64
import json
import os
import re
import select
import shutil
import subprocess
import tempfile
import time
import zlib
from collections import deque

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
)
KEYS = {
    "ArrowRight": 39,
    "ArrowLeft": 37,
    "Home": 36,
    "End": 35,
    "Enter": 13,
    "Escape": 27,
    "Tab": 9,
    " ": 32,
}
WAIT = 60.0  # seconds: for one answer, on a slow machine


def program():
    """The browser that is installed here, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None) if os.name == "posix" else None


def decoded(page):
    """The data in the text of a page that plays a graph."""
    packed = re.search('id="data">([^<]*)<', page)[1]
    return json.loads(zlib.decompress(base64.b64decode(packed)))


class Browser:
    """One window. What the page logs or asks the network for is kept in `said` and `fetched`."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        theirs_in, self.to = os.pipe()
        self.of, theirs_out = os.pipe()
        command = [
            program(),
            *FLAGS,
            f"--user-data-dir={self.folder.name}",
            "--remote-debugging-pipe",
            "about:blank",
        ]

        # the browser reads commands from descriptor 3 and answers on 4
        def moved():
            os.dup2(theirs_in, 63)
            os.dup2(theirs_out, 64)
            os.dup2(63, 3)
            os.dup2(64, 4)

        self.process = subprocess.Popen(
            command,
            preexec_fn=moved,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.number, self.rest, self.messages, self.session = 0, b"", deque(), None
        self.said, self.fetched, self.loaded = [], [], False
        target = next(
            t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page"
        )
        self.session = self.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self):
        """Let the browser end."""
        self.session = None
        try:
            self.call("Browser.close")
            self.process.wait(10)
        except (OSError, TimeoutError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.to)
        os.close(self.of)
        self.folder.cleanup()

    # The protocol: JSON, each message ended by a zero byte.

    def call(self, method, **params):
        """The answer to a command."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params} | (
            {"sessionId": self.session} if self.session else {}
        )
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while (answer := self.receive()).get("id") != self.number:
            self.note(answer)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def receive(self):
        end = time.monotonic() + WAIT
        while not self.messages:
            if not select.select([self.of], [], [], max(end - time.monotonic(), 0))[0]:
                raise TimeoutError("the browser does not answer")
            if not (read := os.read(self.of, 1 << 16)):
                raise OSError("the browser has ended")
            *whole, self.rest = (self.rest + read).split(b"\0")
            self.messages.extend(map(json.loads, whole))
        return self.messages.popleft()

    def note(self, event):
        method, params = event.get("method"), event.get("params", {})
        if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            self.said.append(params)
        elif method == "Network.requestWillBeSent":
            self.fetched.append(params["request"]["url"])
        elif method == "Page.loadEventFired":
            self.loaded = True

    # What a user does.

    def open(self, file, width=1400, height=800, mobile=False, **media):
        """Load a file in a window of that size; `media` are features, with underscores:
        ``prefers_color_scheme="dark"``."""
        features = [
            {"name": name.replace("_", "-"), "value": value} for name, value in media.items()
        ]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )
        for url in (
            "about:blank",
            file if isinstance(file, str) else file.as_uri(),
        ):  # so that another #step is loaded anew
            self.loaded = False
            self.call("Page.navigate", url=url)
            while not self.loaded:
                self.note(self.receive())
        self.run("typeof opened === 'undefined' || opened")  # a page that decodes its data first

    def run(self, script):
        """The value of an expression in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def text(self, selector):
        """What is written in an element."""
        return self.run(f"document.querySelector({json.dumps(selector)}).textContent")

    def press(self, *keys):
        for key in keys:
            named = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS.get(key, 0)}
            text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
            self.call(
                "Input.dispatchKeyEvent",
                type="keyDown" if text else "rawKeyDown",
                **named,
                **({"text": text} if text else {}),
            )
            self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    def write(self, text):
        self.call("Input.insertText", text=text)

    def click(self, selector):
        """Click on the middle of an element, as a mouse does."""
        middle = "b => [b.x + b.width / 2, b.y + b.height / 2]"
        element = f"document.querySelector({json.dumps(selector)})"
        self.run(
            f"{element}.scrollIntoView({{block: 'center', inline: 'center', behavior: 'instant'}})"
        )
        x, y = self.run(f"({middle})({element}.getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def screenshot(self, file):
        file.write_bytes(
            base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        )
