"""Run the sandbox until it is stopped: ``python -m dispute_provider.sandbox --port 8030``."""

from __future__ import annotations

import argparse
import contextlib
import json

from dispute_provider.sandbox._accounts import MOOV_ACCOUNT, MOOV_PUBLIC_KEY, MOOV_SECRET_KEY, STRIPE_KEY
from dispute_provider.sandbox._app import SandboxApp
from dispute_provider.sandbox._server import bind, server, url_of


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dispute_provider.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8030, help="0 for any free port (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    options = parser.parse_args()
    listening = bind(options.host, options.port)
    url = url_of(listening)
    print("\n".join([f"dispute sandbox at {url}", *_connections(url)]), flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server(SandboxApp()).run([listening])


def _connections(url: str) -> list[str]:
    """Return a command for each API that makes its default connection in Airflow one to the sandbox."""
    moov = {"login": MOOV_PUBLIC_KEY, "password": MOOV_SECRET_KEY, "extra": {"account": MOOV_ACCOUNT}}
    return [
        f"export AIRFLOW_CONN_{api.upper()}_DEFAULT='{json.dumps({'conn_type': api, 'host': url, **keys})}'"
        for api, keys in (("stripe", {"password": STRIPE_KEY}), ("moov", moov))
    ]


if __name__ == "__main__":
    main()
