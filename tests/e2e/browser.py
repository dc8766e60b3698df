# SPDX-License-Identifier: MIT
"""A headless Chromium, driven by its DevTools protocol on two pipes (--remote-debugging-pipe: messages end with NUL)."""

import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import time

import harness

# It asks nobody but the server under test: no updates, no field trials, no QUIC beside the proxy.
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--mute-audio",
           "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
           "--disable-dev-shm-usage", "--no-default-browser-check", "--remote-debugging-pipe", "--window-size=1280,800")


def find() -> str:
    """The program's path, or None."""
    return shutil.which("chromium") or shutil.which("google-chrome")


class Browser:
    """One window. Events are kept as (method, params)."""

    def __init__(self, profile: pathlib.Path, *options: str):
        command, answer = os.pipe(), os.pipe()
        self.write, self.read = command[1], answer[0]
        self.log = open(profile.parent / f"{profile.name}.log", "wb")

        def keep_pipes():  # they have to be 3 and 4
            os.dup2(os.dup2(command[0], 103), 3)
            os.dup2(os.dup2(answer[1], 104), 4)
        self.process = subprocess.Popen([find(), *OPTIONS, f"--user-data-dir={profile}", *options, "about:blank"],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, close_fds=False,
                                        preexec_fn=keep_pipes, start_new_session=True,
                                        env={**os.environ, "HOME": str(profile)})
        os.close(command[0])
        os.close(answer[1])
        self.pending, self.answers, self.events, self.number, self.session = b"", {}, [], 0, None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        harness.kill_session(self.process)
        os.close(self.write)
        os.close(self.read)
        self.log.close()

    def _receive(self, wait: float) -> None:
        if not select.select([self.read], [], [], wait)[0]:
            return
        bytes = os.read(self.read, 1 << 20)
        assert bytes, "the browser has gone"
        *whole, self.pending = (self.pending + bytes).split(b"\0")
        for text in whole:
            message = json.loads(text)
            if "id" in message:
                self.answers[message["id"]] = message
            else:
                self.events.append((message["method"], message["params"]))

    def call(self, method: str, limit=60, **params) -> dict:
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + limit * harness.PATIENCE
        while self.number not in self.answers:
            assert time.monotonic() < end, f"no answer to {method}"
            self._receive(0.1)
        answer = self.answers.pop(self.number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def open(self, url: str) -> None:
        result = self.call("Page.navigate", url=url)
        assert "errorText" not in result, f"{url}: {result['errorText']}"

    def evaluate(self, expression: str):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"]
        return result.get("value")

    def wait(self, expression: str, what: str, limit=60):
        return harness.until(lambda: self.evaluate(expression), what, limit, interval=0.2)

    def websockets(self) -> dict:
        """URL of each websocket that was opened -> how many frames came on it."""
        self._receive(0)
        urls = {params["requestId"]: params["url"] for method, params in self.events
                if method == "Network.webSocketCreated"}
        frames = dict.fromkeys(urls.values(), 0)
        for method, params in self.events:
            if method == "Network.webSocketFrameReceived" and params["requestId"] in urls:
                frames[urls[params["requestId"]]] += 1
        return frames

    def screenshot(self, path: pathlib.Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
