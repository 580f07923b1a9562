"""``python -m pywats_api.server``: a local WATS in the foreground."""

import argparse
import logging
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

from pywats_api.server.app import create_app
from pywats_api.server.knobs import Knobs
from pywats_api.server.local import serve

_PORTS: Final = 65536


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m pywats_api.server", description="A local WATS server.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, default=8080, help="port to listen on (%(default)s)")
    parser.add_argument("--db", type=Path, default=Path("wats.sqlite"), help="SQLite file (%(default)s)")
    parser.add_argument("--token", help="accept this token only (any, if left out)")
    parser.add_argument("--throttle", type=int, metavar="N", help="answer 429 beyond N requests a minute")
    options = parser.parse_args(arguments)
    try:
        _look_at(options.db)
    except sqlite3.Error as error:
        parser.error(f"argument --db: {options.db}: {error}; name a file of a local WATS, or one to be made")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    app = create_app(options.db, token=options.token, knobs=Knobs(throttle=options.throttle))
    serve(app, host=options.host, port=options.port)


def _port(text: str) -> int:
    if text.isdecimal() and int(text) < _PORTS:
        return int(text)
    raise argparse.ArgumentTypeError(f'"{text}" is no port; they go from 0 (any free one) to {_PORTS - 1}')


def _look_at(db: Path) -> None:
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("PRAGMA schema_version")


if __name__ == "__main__":
    main()
