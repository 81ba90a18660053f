"""Run the sandbox until it is stopped: ``python -m dispute_provider.sandbox --port 8030``."""

from __future__ import annotations

import argparse
import contextlib

from dispute_provider.sandbox._app import SandboxApp
from dispute_provider.sandbox._server import bind, server, url_of


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dispute_provider.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8030, help="0 for any free port (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    options = parser.parse_args()
    listening = bind(options.host, options.port)
    print(f"dispute sandbox at {url_of(listening)}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server(SandboxApp()).run([listening])


if __name__ == "__main__":
    main()
