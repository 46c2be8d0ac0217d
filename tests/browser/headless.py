"""A headless Chromium that opens a page of ours and says on its console what a script there saw.

Now and then a browser hangs before it has shown anything, so it gets only so long, is ended with
all of its processes, and is started anew with a fresh profile.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from urllib.parse import unquote

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
PATIENCE = (20, 30, 60)
"""Seconds that each try may take; a page takes about three."""
SAID = re.compile(r':CONSOLE.*"seen:([^"]*)"')
OPTIONS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--allow-file-access-from-files"),
    *("--enable-logging=stderr", "--window-size=1400,900"),
]


def opened(folder, url, *options, browser=BROWSER, patience=PATIENCE):
    """What the page said as `seen:` and JSON in URL encoding, and the console's lines before it."""
    for attempt, seconds in enumerate(patience):
        log = folder / f"browser_{attempt}.log"
        found = _tried([browser, *OPTIONS, *options, url], log, seconds)
        if found:
            before = log.read_text(errors="replace")[: found.start()]
            return json.loads(unquote(found.group(1))), re.findall(r":CONSOLE.*", before)
    said = log.read_text(errors="replace")[-2000:]
    raise AssertionError(f"{len(patience)} browsers said nothing of {url}; the last one:\n{said}")


def _tried(command, log, seconds):
    """The match in what one browser says, or None; the browser is ended in any case."""
    # Not in pytest's folders: a browser's sockets need a short path.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, log.open("wb") as stream:
        process = subprocess.Popen(
            [*command, f"--user-data-dir={home}/profile"],
            env=os.environ | {"TMPDIR": home},
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return _heard(process, log, seconds)
        finally:
            _end(process)


def _heard(process, log, seconds):
    """The match in the log, or None where the browser ends or the time is over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        has_ended = process.poll() is not None
        if found := SAID.search(log.read_text(errors="replace")):
            return found
        if has_ended:
            return None
        time.sleep(0.05)
    return None


def _end(process):
    """The browser and all processes that it started: they are a group of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
