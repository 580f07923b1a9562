"""The explorer's command line."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NoReturn

from pywats_cfx.explorer.refusal import USAGE, RefusedError
from pywats_cfx.explorer.screen import Screen, tell

if TYPE_CHECKING:
    from pywats_cfx.explorer.way import Way

_PROGRAM: Final = "python -m pywats_cfx.explorer"
_EXAMPLES: Final = """\
examples:
  --list                                     all messages and samples
  --list Production                          those of a namespace, a kind, an event type, a word
  --sample units_tested_ict                  a sample as it is on the wire
  --convert units_tested_ict                 the events it becomes, and what WATS gets
  --convert body.json --message UnitsTested  the same of a message's body alone
  --schema UnitsTested                       JSON Schema of its body
  --validate recorded/ other.json.gz         what is wrong where
  --watch amqp://user:password@broker/       what machines publish, until Ctrl-C
  --watch amqp://user:password@broker/ --filter UnitsTested --raw --count 1
  --send fault_temp --to amqp://user:password@broker/
  --send fault_temp --to amqp://machine:5690 --address CFXListener

exit codes: 0 done, 1 it did not work or something is wrong, 2 a mistake in what was asked
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say it in one line, without the password of a URL that may be in it."""
        tell(f"{re.sub(r'://[^ ]*@', '://***@', message)}; see {_PROGRAM} --help")
        self.exit(USAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give the exit code.

    Returns:
        0; 1 for what can't be read, reached or sent, or is wrong; 2 for what is not known. Mistakes in the
        arguments end with ``SystemExit(2)``.
    """
    parser = _parser()
    asked = parser.parse_args(arguments)
    _check(parser, asked)
    screen = Screen()
    try:
        code = _run(screen, asked)
        screen.flush()
    except RefusedError as refused:
        tell(str(refused))
        return refused.exit_code
    except BrokenPipeError:
        # The reader has seen enough; leave nothing for the interpreter to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _run(screen: Screen, asked: argparse.Namespace) -> int:
    # each way loads what it needs: models, the broker's library
    if asked.list is not None:
        from pywats_cfx.explorer.listing import show_list  # noqa: PLC0415

        show_list(screen, asked.list)
        return 0
    if asked.schema is not None:
        from pywats_cfx.explorer.entries import find  # noqa: PLC0415
        from pywats_cfx.explorer.schema import schema_of  # noqa: PLC0415

        screen.json(schema_of(find(asked.schema)))
        return 0
    if asked.watch is not None:
        from pywats_cfx.explorer.watching import Wanted, watch  # noqa: PLC0415

        wanted = Wanted(count=asked.count, filters=tuple(asked.filter), raw=asked.raw)
        return watch(screen, _way(asked, asked.watch), wanted)
    return _with_content(screen, asked)


def _with_content(screen: Screen, asked: argparse.Namespace) -> int:
    from pywats_cfx.explorer.content import files_of, load  # noqa: PLC0415
    from pywats_cfx.explorer.entries import find  # noqa: PLC0415

    message = None if asked.message is None else find(asked.message)
    if asked.sample is not None:
        from pywats_cfx.explorer.sampling import show_sample  # noqa: PLC0415

        show_sample(screen, asked.sample)
        return 0
    if asked.convert is not None:
        from pywats_cfx.explorer.converting import convert  # noqa: PLC0415

        return convert(screen, load(asked.convert, message))
    if asked.validate is not None:
        from pywats_cfx.explorer.validating import validate  # noqa: PLC0415

        contents = (load(name, message) for name in files_of(asked.validate))
        return validate(screen, contents, bare=message is not None, as_json=asked.json)
    from pywats_cfx.explorer.sending import Manner, send  # noqa: PLC0415

    manner = Manner(as_is=asked.as_is, repeat=asked.repeat, every=asked.every, gzip=asked.gzip)
    return send(screen, load(asked.send, message), _way(asked, asked.to), manner)


def _way(asked: argparse.Namespace, url: str) -> Way:
    from pywats_cfx.explorer.way import Way  # noqa: PLC0415

    return Way.of(
        url, address=asked.address, exchange=asked.exchange, protocol=asked.protocol, ca_file=asked.ca_file
    )


#: Which options go with which actions.
_GO_WITH: Final = {
    "message": ("convert", "validate", "send"),
    "json": ("validate",),
    "count": ("watch",),
    "filter": ("watch",),
    "raw": ("watch",),
    "to": ("send",),
    "as_is": ("send",),
    "repeat": ("send",),
    "every": ("send",),
    "gzip": ("send",),
    "protocol": ("send", "watch"),
    "exchange": ("send", "watch"),
    "address": ("send", "watch"),
    "ca_file": ("send", "watch"),
}


def _check(parser: _Parser, asked: argparse.Namespace) -> None:
    for option, actions in _GO_WITH.items():
        if getattr(asked, option) != parser.get_default(option) and all(
            getattr(asked, action) is None for action in actions
        ):
            parser.error(
                f"--{option.replace('_', '-')} goes with {' or '.join(f'--{each}' for each in actions)}"
            )
    if asked.send is not None and asked.to is None:
        parser.error("--send needs --to URL")


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError("should be a whole number from 1")
    return int(text)


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number <= _LONGEST:
        raise argparse.ArgumentTypeError(f"should be seconds from 0 to {_LONGEST:g}")
    return number


_LONGEST: Final = 86_400.0


def _parser() -> _Parser:
    parser = _Parser(
        prog=_PROGRAM,
        usage=f"{_PROGRAM} WHAT [OPTION ...]",
        description="Look at CFX messages, in files and on the wire, and at what becomes of them.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    group = parser.add_argument_group("what to do").add_mutually_exclusive_group(required=True)
    group.add_argument("--list", metavar="WORD", nargs="?", const="", help="all messages and samples")
    group.add_argument("--sample", metavar="NAME", help="a sample as it is on the wire")
    group.add_argument("--convert", metavar="NAME_OR_FILE", help="the events that messages become")
    group.add_argument("--schema", metavar="NAME", help="JSON Schema of a message's body")
    group.add_argument("--validate", metavar="FILE", nargs="+", help="what is wrong where; - reads stdin")
    group.add_argument("--watch", metavar="URL", help="live traffic of a broker; takes nothing away")
    group.add_argument("--send", metavar="NAME_OR_FILE", help="publish a sample or a file")

    files = parser.add_argument_group("files (one envelope or a list, gzip or not)")
    files.add_argument("--message", metavar="NAME", help="the file holds the body of this message alone")
    files.add_argument("--json", action="store_true", help="--validate: findings as JSON")

    wire = parser.add_argument_group(
        "brokers and listeners (amqp:// or amqps://user:password@host:port/vhost)"
    )
    wire.add_argument("--exchange", metavar="NAME", help="RabbitMQ's exchange; default: cfx")
    wire.add_argument("--address", metavar="ADDRESS", help="AMQP 1.0: address at the broker or listener")
    wire.add_argument("--protocol", choices=("1.0", "0-9-1"), help="version of AMQP; default: what fits")
    wire.add_argument("--ca-file", metavar="FILE", help="amqps: who signed the other side's certificate")

    watching = parser.add_argument_group("watching")
    watching.add_argument("--count", type=_whole, metavar="N", help="end after N messages")
    watching.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="WORD",
        help="only what has it in its name, source or content; !WORD: only what has not",
    )
    watching.add_argument("--raw", action="store_true", help="whole messages; in a pipe one JSON a line")

    sending = parser.add_argument_group("sending")
    sending.add_argument("--to", metavar="URL", help="a broker, or a machine that listens")
    sending.add_argument("--as-is", action="store_true", help="the bytes of the file, whatever they are")
    sending.add_argument("--repeat", type=_whole, default=1, metavar="N", help="send N times")
    sending.add_argument("--every", type=_seconds, default=0.0, metavar="S", help="seconds between")
    sending.add_argument("--gzip", action="store_true", help="packed, as most endpoints send")
    return parser
