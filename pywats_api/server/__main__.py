"""``python -m pywats_api.server``: a local WATS in the foreground."""

import argparse
import logging
import sys
from pathlib import Path

from pywats_api.server.app import create_app
from pywats_api.server.knobs import Knobs
from pywats_api.server.local import serve


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m pywats_api.server", description="A local WATS server.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="port to listen on (%(default)s)")
    parser.add_argument("--db", type=Path, default=Path("wats.sqlite"), help="SQLite file (%(default)s)")
    parser.add_argument("--token", help="accept this token only (any, if left out)")
    parser.add_argument("--throttle", type=int, metavar="N", help="answer 429 beyond N requests a minute")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    app = create_app(options.db, token=options.token, knobs=Knobs(throttle=options.throttle))
    serve(app, host=options.host, port=options.port)


if __name__ == "__main__":
    main()
