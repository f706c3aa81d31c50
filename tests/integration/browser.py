"""A headless Chromium that a test drives like a person: open a page, click, go back."""

import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time


class Browser:
    """Speaks Chromium's DevTools protocol over a pair of pipes; needs no port and no library."""

    def __init__(self):
        path = next((p for p in map(shutil.which, ["chromium", "chromium-browser", "google-chrome"]) if p), None)
        assert path, "chromium: not found; install it (apt install chromium)"
        self.home = tempfile.TemporaryDirectory(prefix="weir-chromium-")
        command_out, self.command_in = os.pipe()
        self.answer_out, answer_in = os.pipe()
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        environment |= {"HOME": self.home.name, "XDG_CONFIG_HOME": self.home.name, "XDG_CACHE_HOME": self.home.name}
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{command_out} 4>&{answer_in}', "bash", path, "--headless", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions", "--disable-background-networking",
             f"--user-data-dir={self.home.name}/profile", "--window-size=1280,1600", "--remote-debugging-pipe"],
            pass_fds=(command_out, answer_in), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        os.close(command_out)
        os.close(answer_in)
        self.rest, self.last_id, self.session = b"", 0, None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")

    def close(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.command_in)
        os.close(self.answer_out)
        self.remove_home()

    def remove_home(self, seconds=30):
        """The browser's helpers end a moment after it, and until then may write to its folder."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.home.cleanup()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def call(self, method, **parameters):
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.command_in, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.rest:
                read = os.read(self.answer_out, 1 << 16)
                assert read, "chromium ended"
                self.rest += read
            text, self.rest = self.rest.split(b"\0", 1)
            answer = json.loads(text)
            if answer.get("id") == self.last_id:
                assert "error" not in answer, answer
                return answer["result"]

    def go(self, url):
        """Opens the page and waits until it shows data, or fails with the reason."""
        self.js("document.body.dataset.state = 'left'")
        self.call("Page.navigate", url=url)
        self.await_js(f"location.href.startsWith({json.dumps(url.split('#')[0].split('?')[0])}) && ['ready', 'failed'].includes(document.body?.dataset.state)")

    def js(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def await_js(self, expression, seconds=60):
        deadline = time.monotonic() + seconds
        while not self.js(expression):
            assert time.monotonic() < deadline, f"not within {seconds} s: {expression}; the page: {self.js('document.body?.innerText')}"
            time.sleep(0.05)

    def text(self, selector):
        return self.js(f"document.querySelector({json.dumps(selector)})?.innerText")

    def screenshot(self, file):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def refresh(self):
        """Makes the page ask again and waits for the answers."""
        self.js("document.body.dataset.state = 'asking'; document.dispatchEvent(new Event('visibilitychange'))")
        self.await_js("document.body.dataset.state !== 'asking'")
