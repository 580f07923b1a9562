"""OData options of a query, turned into SQL with parameters."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from string import ascii_lowercase, ascii_uppercase
from typing import Any, Literal, NamedTuple

from pywats_api.server.documents import Refused
from pywats_api.wsjf.values import parse_moment

Kind = Literal["text", "number", "moment", "guid"]
_MAX_NESTING = 50


class Column(NamedTuple):
    """A field that may be filtered by: its SQL expression and what it is compared with."""

    sql: str
    kind: Kind = "text"


class Condition(NamedTuple):
    """A piece of SQL and the values for its placeholders."""

    sql: str
    values: tuple[Any, ...] = ()


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:[^']|'')*')
    | (?P<guid>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})
    | (?P<moment>\d{4}-\d{2}-\d{2}(?:T[0-9:.]+(?:Z|[+-]\d{2}:\d{2})?)?)
    | (?P<number>[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<word>[A-Za-z_][A-Za-z0-9_/]*)
    | (?P<mark>[(),])
    )""",
    re.VERBOSE,
)
_LITERALS: dict[Kind, set[str]] = {
    "text": {"string"},
    "number": {"number"},
    "guid": {"guid", "string"},
    "moment": {"moment", "string"},
}
_OPERATORS = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_FUNCTIONS = {
    "startswith": "substr({0}, 1, length(?)) = ?",
    "endswith": "(length(?) <= length({0}) AND substr({0}, length({0}) - length(?) + 1) = ?)",
    "contains": "instr({0}, ?) > 0",
}
# SQLite changes the case of ASCII letters only, so the literals beside it are treated the same way.
_CASES = {
    "tolower": ("lower", str.maketrans(ascii_uppercase, ascii_lowercase)),
    "toupper": ("upper", str.maketrans(ascii_lowercase, ascii_uppercase)),
}


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970, the form in which instants are stored."""
    delta = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def parse_filter(text: str, columns: Mapping[str, Column]) -> Condition:
    """The condition that a ``$filter`` stands for."""
    return _Parser(text, columns).parse()


class _Parser:
    """Recursive descent over or, and, not, parentheses, comparisons and text functions."""

    def __init__(self, text: str, columns: Mapping[str, Column]) -> None:
        self._columns = columns
        self._tokens = list(_tokens(text))
        self._next = 0
        self._nesting = 0

    def parse(self) -> Condition:
        condition = self._or()
        if self._peek().kind != "end":
            raise self._unexpected()
        return condition

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, *texts: str) -> bool:
        token = self._peek()
        if token.kind in {"word", "mark"} and token.text in texts:
            self._next += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._unexpected()

    def _unexpected(self) -> Refused:
        token = self._peek()
        what = f'"{token.text}"' if token.text else "end"
        return Refused(f"$filter: unexpected {what} at position {token.position}.")

    def _or(self) -> Condition:
        left = self._and()
        while self._take("or"):
            left = _joined(left, "OR", self._and())
        return left

    def _and(self) -> Condition:
        left = self._not()
        while self._take("and"):
            left = _joined(left, "AND", self._not())
        return left

    def _not(self) -> Condition:
        self._nesting += 1
        if self._nesting > _MAX_NESTING:
            raise Refused("$filter: nested too deep.")
        try:
            if self._take("not"):
                inner = self._not()
                return Condition(f"NOT coalesce({inner.sql}, 0)", inner.values)
            if self._take("("):
                inner = self._or()
                self._expect(")")
                return Condition(f"({inner.sql})", inner.values)
            return self._comparison()
        finally:
            self._nesting -= 1

    def _comparison(self) -> Condition:
        token = self._peek()
        if token.text in _FUNCTIONS:
            return self._function()
        column = self._column()
        if self._take("in"):
            return self._in(column)
        for name, sign in _OPERATORS.items():
            if self._take(name):
                return self._compare(column, sign)
        raise self._unexpected()

    def _compare(self, column: Column, sign: str) -> Condition:
        if self._take("null"):
            if sign not in {"=", "<>"}:
                raise Refused("$filter: null can only be equal or not.")
            return Condition(f"{column.sql} IS {'NOT ' if sign == '<>' else ''}NULL")
        # IS NOT also counts a missing value as different, as OData does
        return Condition(f"{column.sql} {'IS NOT' if sign == '<>' else sign} ?", (self._value(column),))

    def _in(self, column: Column) -> Condition:
        self._expect("(")
        values = [self._value(column)]
        while self._take(","):
            values.append(self._value(column))
        self._expect(")")
        return Condition(f"{column.sql} IN ({', '.join('?' * len(values))})", tuple(values))

    def _function(self) -> Condition:
        template = _FUNCTIONS[self._peek().text]
        self._next += 1
        self._expect("(")
        column = self._column()
        self._expect(",")
        token = self._peek()
        if column.kind != "text" or token.kind != "string":
            raise self._unexpected()
        self._next += 1
        self._expect(")")
        sql = template.format(column.sql)
        return Condition(sql, (_unquoted(token.text),) * sql.count("?"))

    def _column(self) -> Column:
        case = self._case()
        if case is None:
            return self._field()
        column = self._field()
        if column.kind != "text":
            raise Refused(f"$filter: only texts have a case to change, not a {column.kind}.")
        self._expect(")")
        return Column(f"{case}({column.sql})")

    def _case(self) -> str | None:
        """Name of the SQL function, where a change of case begins here."""
        name = self._peek().text
        if name not in _CASES or not self._take(name):
            return None
        self._expect("(")
        return _CASES[name][0]

    def _field(self) -> Column:
        token = self._peek()
        if token.kind != "word":
            raise self._unexpected()
        column = self._columns.get(token.text)
        if column is None:
            raise Refused(f'$filter: there is no field "{token.text}" to filter by.')
        self._next += 1
        return column

    def _value(self, column: Column) -> Any:
        name = self._peek().text
        if self._case() is None:
            return self._plain_value(column)
        value = self._plain_value(column)
        self._expect(")")
        return value.translate(_CASES[name][1]) if isinstance(value, str) else value

    def _plain_value(self, column: Column) -> Any:
        token = self._peek()
        value = _literal(token, column.kind)
        if value is None:
            raise Refused(f'$filter: "{token.text}" at position {token.position} is no {column.kind}.')
        self._next += 1
        return value


def _literal(token: _Token, kind: Kind) -> Any:
    """The value of a token as the stored form of `kind`; None if it is none."""
    text = _unquoted(token.text) if token.kind == "string" else token.text
    if token.kind not in _LITERALS[kind]:
        return None
    if kind == "number":
        return float(text)
    if kind == "guid":
        return text.lower()
    return _instant(text) if kind == "moment" else text


def _instant(text: str) -> int | None:
    try:
        return microseconds(parse_moment(text))
    except (ValueError, OverflowError):
        return None


def _tokens(text: str) -> list[_Token]:
    tokens = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            raise Refused(f"$filter: cannot be read at position {position}.")
        tokens.append(_Token(found.lastgroup, found.group(found.lastgroup), found.start(found.lastgroup)))
        position = found.end()
    return [*tokens, _Token("end", "", end)]


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'")


def _joined(left: Condition, word: str, right: Condition) -> Condition:
    return Condition(f"({left.sql} {word} {right.sql})", left.values + right.values)
