"""Products and their revisions, bills of materials, vendors and groups in the database.

A report makes its product and revision known; units of production need them before.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from glob import escape
from typing import Any
from uuid import uuid4

from pywats_api.server.documents import Refused
from pywats_api.server.product_xml import tags_as_xml, tags_in_xml

_TABLES = (
    """CREATE TABLE IF NOT EXISTS products (
        part_number TEXT PRIMARY KEY, product_id TEXT NOT NULL UNIQUE, body TEXT NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS product_revisions (
        product_revision_id TEXT PRIMARY KEY, part_number TEXT NOT NULL, revision TEXT NOT NULL,
        body TEXT NOT NULL, UNIQUE (part_number, revision)
    )""",
    """CREATE TABLE IF NOT EXISTS boms (
        part_number TEXT NOT NULL, revision TEXT NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (part_number, revision)
    )""",
    "CREATE TABLE IF NOT EXISTS vendors (name TEXT PRIMARY KEY, body TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS product_groups (name TEXT PRIMARY KEY, body TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS product_group_filters (
        name TEXT NOT NULL, part_number TEXT NOT NULL, revision TEXT NOT NULL, exclude INTEGER NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS reports_by_part ON reports (pn)",
)
_REPORTED = (
    "SELECT DISTINCT json_extract(body, '$.rev') AS revision FROM reports"
    " WHERE pn = ? AND quarantined IS NULL"
)


class Taken(Exception):  # noqa: N818  # the sender's doing, not an error of the server
    """The server answers 409: it is there already."""


class ProductStore:
    """SQL on the tables of products. Every method runs on the database's thread."""

    @staticmethod
    def prepare(connection: sqlite3.Connection) -> None:
        """Make the tables that are missing."""
        for statement in _TABLES:
            connection.execute(statement)

    # --- products

    def find(self, connection: sqlite3.Connection, part: str) -> dict[str, Any] | None:
        """A product with its revisions."""
        self._learn(connection, part)
        product = self._product(connection, part)
        return None if product is None else product | {"revisions": self._revisions(connection, part)}

    def all(self, connection: sqlite3.Connection) -> None:
        """Make the products of all reports known."""
        unknown = connection.execute(
            "SELECT DISTINCT pn FROM reports WHERE quarantined IS NULL"
            " AND pn NOT IN (SELECT part_number FROM products)"
        ).fetchall()
        for row in unknown:
            self._learn(connection, row["pn"])

    def put(self, connection: sqlite3.Connection, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Create a product, or update the one with its id."""
        part = wanted["partNumber"]
        product_id = wanted.get("productId")
        if product_id is None:
            if self.find(connection, part) is not None:
                raise Taken(f"partNumber: product {part!r} exists already.")
            return self._write(connection, {"productId": str(uuid4())}, wanted)
        row = connection.execute(
            "SELECT part_number, body FROM products WHERE product_id = ?", (product_id,)
        ).fetchone()
        if row is None:
            raise Refused(f"productId: no product has the id {product_id}.")
        if row["part_number"] != part:
            raise Refused(f"partNumber: of product {product_id} it is {row['part_number']!r}.")
        return self._write(connection, json.loads(row["body"]), wanted)

    def save(self, connection: sqlite3.Connection, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Create a product, or update the one with its part number."""
        self._learn(connection, wanted["partNumber"])
        known = self._product(connection, wanted["partNumber"]) or {"productId": str(uuid4())}
        return self._write(connection, known, wanted)

    def _write(
        self, connection: sqlite3.Connection, known: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        changes = {name: value for name, value in wanted.items() if name not in {"productId", "revisions"}}
        product = _with_tags({"nonSerial": False, "state": 1} | dict(known), changes)
        connection.execute(
            "INSERT INTO products VALUES (?, ?, ?)"
            " ON CONFLICT (part_number) DO UPDATE SET body = excluded.body",
            (product["partNumber"], product["productId"], json.dumps(product)),
        )
        return product | {"revisions": self._revisions(connection, product["partNumber"])}

    def _learn(self, connection: sqlite3.Connection, part: str) -> None:
        """Make a product and its revisions known that reports have named."""
        reported = [row["revision"] for row in connection.execute(_REPORTED, (part,))]
        if not reported:
            return
        if self._product(connection, part) is None:
            self._write(connection, {"productId": str(uuid4())}, {"partNumber": part})
        for revision in reported:
            if self._revision(connection, part, revision) is None:
                self._write_revision(connection, part, {}, {"revision": revision})

    @staticmethod
    def _product(connection: sqlite3.Connection, part: str) -> dict[str, Any] | None:
        row = connection.execute("SELECT body FROM products WHERE part_number = ?", (part,)).fetchone()
        return json.loads(row["body"]) if row else None

    # --- revisions

    def find_revision(
        self, connection: sqlite3.Connection, part: str, revision: str
    ) -> dict[str, Any] | None:
        """A revision of a product."""
        found = self._revision(connection, part, revision)
        if found is None:
            self._learn(connection, part)
            found = self._revision(connection, part, revision)
        return found

    @staticmethod
    def revision_by_id(connection: sqlite3.Connection, revision_id: str) -> dict[str, Any] | None:
        """A revision by its id."""
        row = connection.execute(
            "SELECT body FROM product_revisions WHERE product_revision_id = ?", (revision_id,)
        ).fetchone()
        return json.loads(row["body"]) if row else None

    def put_revision(
        self, connection: sqlite3.Connection, wanted: Mapping[str, Any], *, save: bool = False
    ) -> dict[str, Any]:
        """Create a revision or update the one with its id; `save` also finds it by its name."""
        part = self._part_of(connection, wanted)
        revision_id = wanted.get("productRevisionId")
        if revision_id is not None:
            known = self.revision_by_id(connection, revision_id)
            if known is None:
                raise Refused(f"productRevisionId: no revision has the id {revision_id}.")
            if (known["PartNumber"], known["revision"]) != (part, wanted["revision"]):
                raise Refused(
                    f"revision: {revision_id} is {known['revision']!r} of product {known['PartNumber']!r}."
                )
        else:
            known = self.find_revision(connection, part, wanted["revision"])
            if known is not None and not save:
                raise Taken(f"revision: product {part!r} has a revision {wanted['revision']!r} already.")
        return self._write_revision(connection, part, known or {}, wanted)

    def _part_of(self, connection: sqlite3.Connection, wanted: Mapping[str, Any]) -> str:
        part: str | None = wanted.get("PartNumber")
        product_id = wanted.get("productId")
        if product_id is not None:
            row = connection.execute("SELECT part_number FROM products WHERE product_id = ?", (product_id,))
            found = row.fetchone()
            if found is None or (part and part != found["part_number"]):
                raise Refused(f"productId: no product {part or ''} has the id {product_id}.")
            return str(found["part_number"])
        if not part:
            raise Refused("productId or PartNumber: one of them is required.")
        if self.find(connection, part) is None:
            raise Refused(f"PartNumber: there is no product {part!r}; create it first.")
        return part

    def _write_revision(
        self,
        connection: sqlite3.Connection,
        part: str,
        known: Mapping[str, Any],
        wanted: Mapping[str, Any],
    ) -> dict[str, Any]:
        product = self._product(connection, part)
        owned = {
            "productRevisionId": known.get("productRevisionId") or str(uuid4()),
            "productId": product["productId"] if product else None,
            "PartNumber": part,
        }
        revision = _with_tags({"state": 1} | dict(known), wanted) | owned
        connection.execute(
            "INSERT INTO product_revisions VALUES (?, ?, ?, ?)"
            " ON CONFLICT (product_revision_id) DO UPDATE SET body = excluded.body",
            (owned["productRevisionId"], part, revision["revision"], json.dumps(revision)),
        )
        return revision

    @staticmethod
    def _revision(connection: sqlite3.Connection, part: str, revision: str) -> dict[str, Any] | None:
        row = connection.execute(
            "SELECT body FROM product_revisions WHERE part_number = ? AND revision = ?", (part, revision)
        ).fetchone()
        return json.loads(row["body"]) if row else None

    @staticmethod
    def _revisions(connection: sqlite3.Connection, part: str) -> list[dict[str, Any]]:
        rows = connection.execute(
            "SELECT body FROM product_revisions WHERE part_number = ? ORDER BY revision", (part,)
        )
        return [json.loads(row["body"]) for row in rows]

    # --- bills of materials

    def put_bom(self, connection: sqlite3.Connection, part: str, revision: str, text: str) -> None:
        """Store a bill of materials; product and revision are made if they are missing."""
        if self.find(connection, part) is None:
            self.save(connection, {"partNumber": part})
        if self.find_revision(connection, part, revision) is None:
            self._write_revision(connection, part, {}, {"revision": revision})
        connection.execute("INSERT OR REPLACE INTO boms VALUES (?, ?, ?)", (part, revision, text))

    @staticmethod
    def bom(connection: sqlite3.Connection, part: str, revision: str) -> str | None:
        """A bill of materials as it was sent."""
        row = connection.execute(
            "SELECT body FROM boms WHERE part_number = ? AND revision = ?", (part, revision)
        ).fetchone()
        return row["body"] if row else None

    # --- vendors

    @staticmethod
    def vendors(connection: sqlite3.Connection) -> list[dict[str, Any]]:
        """All vendors, by name."""
        return [
            json.loads(row["body"]) for row in connection.execute("SELECT body FROM vendors ORDER BY name")
        ]

    @staticmethod
    def put_vendors(connection: sqlite3.Connection, wanted: Sequence[Mapping[str, Any]]) -> None:
        """Make vendors known."""
        rows = [(vendor["VendorName"], json.dumps(vendor)) for vendor in wanted]
        connection.executemany("INSERT OR REPLACE INTO vendors VALUES (?, ?)", rows)

    @staticmethod
    def delete_vendors(connection: sqlite3.Connection, wanted: Sequence[Mapping[str, Any]]) -> None:
        """Forget vendors; those that nobody knows are forgotten already."""
        names = [(vendor["VendorName"],) for vendor in wanted]
        connection.executemany("DELETE FROM vendors WHERE name = ?", names)

    # --- groups

    @staticmethod
    def put_group(connection: sqlite3.Connection, wanted: Mapping[str, Any]) -> None:
        """Make a group, as an administrator does."""
        row = connection.execute(
            "SELECT body FROM product_groups WHERE name = ?", (wanted["name"],)
        ).fetchone()
        known = json.loads(row["body"]) if row else {"productGroupId": str(uuid4())}
        body = known | {"productGroupName": wanted["name"], "description": wanted.get("description")}
        connection.execute(
            "INSERT OR REPLACE INTO product_groups VALUES (?, ?)", (wanted["name"], json.dumps(body))
        )

    @staticmethod
    def add_filter(
        connection: sqlite3.Connection, group: str, part: str, revision: str, *, exclude: bool
    ) -> None:
        """Let products into a group, or keep them out."""
        if connection.execute("SELECT 1 FROM product_groups WHERE name = ?", (group,)).fetchone() is None:
            raise Refused(f"productGroup: there is no group {group!r}.")
        row = (group, part, revision, exclude)
        connection.execute(
            "DELETE FROM product_group_filters WHERE name = ? AND part_number = ? AND revision = ?", row[:3]
        )
        connection.execute("INSERT INTO product_group_filters VALUES (?, ?, ?, ?)", row)

    @staticmethod
    def groups_of(connection: sqlite3.Connection, part: str, revision: str) -> list[dict[str, Any]]:
        """The groups whose filters let a product in and none keeps it out."""
        inside: dict[str, bool] = {}
        for row in connection.execute("SELECT * FROM product_group_filters ORDER BY exclude"):
            if fits_mask(part, row["part_number"]) and (not revision or fits_mask(revision, row["revision"])):
                inside[row["name"]] = not row["exclude"]
        groups = connection.execute("SELECT name, body FROM product_groups ORDER BY name")
        return [json.loads(row["body"]) for row in groups if inside.get(row["name"])]


def fits_mask(text: str, mask: str) -> bool:
    """Whether a text is one of a list with commas, in which ``%`` stands for anything."""
    patterns = (escape(part.strip()).replace("%", "*") for part in mask.split(","))
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def _with_tags(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A body with changes, in which tags and XML say the same; the one that was changed wins."""
    body = {**known, **wanted}
    xml = wanted.get("xmlData")
    if xml and xml != known.get("xmlData"):
        body["tags"] = tags_in_xml(xml)
    elif "tags" in wanted:
        body["tags"] = wanted["tags"] or []
        body["xmlData"] = tags_as_xml(body["tags"])
    return body
