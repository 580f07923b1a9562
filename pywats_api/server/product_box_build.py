"""Box-build templates in the database, and whether an assembly keeps to one."""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

from pywats_api.server.documents import Refused
from pywats_api.server.product_store import ProductStore, fits_mask

_TABLE = """CREATE TABLE IF NOT EXISTS box_builds (
    line INTEGER PRIMARY KEY AUTOINCREMENT, relation_id TEXT NOT NULL UNIQUE, parent_id TEXT NOT NULL,
    child_id TEXT NOT NULL, quantity INTEGER NOT NULL, mask TEXT, UNIQUE (parent_id, child_id)
)"""
_MAX_LEVELS = 20


class BoxBuildStore:
    """SQL on the table of templates. Every method runs on the database's thread."""

    def __init__(self, products: ProductStore) -> None:
        self._products = products

    @staticmethod
    def prepare(connection: sqlite3.Connection) -> None:
        """Make the table if it is missing."""
        connection.execute(_TABLE)

    def lines(self, connection: sqlite3.Connection, parent_id: str) -> list[dict[str, Any]]:
        """The units that a revision needs, in the order they were added."""
        rows = connection.execute("SELECT * FROM box_builds WHERE parent_id = ? ORDER BY line", (parent_id,))
        return [self._line(connection, row) for row in rows.fetchall()]

    def _line(self, connection: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
        child = self._products.revision_by_id(connection, row["child_id"]) or {}
        product = self._products.find(connection, child.get("PartNumber", "")) or {}
        return {
            "ProductRevisionRelationId": row["relation_id"],
            "ParentProductRevisionId": row["parent_id"],
            "ProductRevisionId": row["child_id"],
            "Quantity": row["quantity"],
            "RevisionMask": row["mask"],
            "PartNumber": child.get("PartNumber"),
            "Revision": child.get("revision"),
            "Name": product.get("name"),
            "Description": product.get("description"),
        }

    def template_of(
        self, connection: sqlite3.Connection, part: str, revision: str
    ) -> list[dict[str, Any]] | None:
        """The units that a revision needs; None if there is no such revision."""
        found = self._products.find_revision(connection, part, revision)
        return None if found is None else self.lines(connection, found["productRevisionId"])

    def add(self, connection: sqlite3.Connection, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Add a line; the whole template comes back."""
        parent, child = wanted["ParentProductRevisionId"], wanted["ProductRevisionId"]
        for name, revision_id in {"ParentProductRevisionId": parent, "ProductRevisionId": child}.items():
            if self._products.revision_by_id(connection, revision_id) is None:
                raise Refused(f"{name}: no revision has the id {revision_id}.")
        self._check_loop(connection, parent, child)
        try:
            connection.execute(
                "INSERT INTO box_builds (relation_id, parent_id, child_id, quantity, mask)"
                " VALUES (?, ?, ?, ?, ?)",
                (str(uuid4()), parent, child, wanted["Quantity"], wanted.get("RevisionMask")),
            )
        except sqlite3.IntegrityError:
            raise Refused("ProductRevisionId: the template has this revision already.") from None
        return self.lines(connection, parent)

    @staticmethod
    def _check_loop(connection: sqlite3.Connection, parent: str, child: str) -> None:
        level = {child}
        for _ in range(_MAX_LEVELS):
            if parent in level:
                raise Refused("ProductRevisionId: the product would be part of itself.")
            if not level:
                return
            marks = ", ".join("?" * len(level))
            rows = connection.execute(
                f"SELECT child_id FROM box_builds WHERE parent_id IN ({marks})",  # noqa: S608  # placeholders
                tuple(level),
            )
            level = {row["child_id"] for row in rows}
        raise Refused(f"ProductRevisionId: more than {_MAX_LEVELS} levels.")

    def change(self, connection: sqlite3.Connection, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
        """Change quantity and mask of a line; None if there is no such line."""
        row = connection.execute(
            "UPDATE box_builds SET quantity = ?, mask = ? WHERE relation_id = ? AND parent_id = ?"
            " AND child_id = ? RETURNING *",
            (
                wanted["Quantity"],
                wanted.get("RevisionMask"),
                wanted.get("ProductRevisionRelationId"),
                wanted["ParentProductRevisionId"],
                wanted["ProductRevisionId"],
            ),
        ).fetchone()
        return None if row is None else self._line(connection, row)

    @staticmethod
    def remove(connection: sqlite3.Connection, relation_id: str) -> bool:
        """Take a line out; False if there is no such line."""
        cursor = connection.execute("DELETE FROM box_builds WHERE relation_id = ?", (relation_id,))
        return cursor.rowcount == 1


def fits_line(unit: Mapping[str, Any], line: Mapping[str, Any]) -> bool:
    """Whether a unit is what a line of a template asks for."""
    mask = line["RevisionMask"] or line["Revision"]
    return unit["partNumber"] == line["PartNumber"] and fits_mask(unit.get("revision") or "", mask)


def open_places(
    template: Iterable[Mapping[str, Any]], children: Iterable[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], int]]:
    """The lines of a template with how many units each of them still needs.

    Each child takes a place in the first line that it fits and that is not full.
    """
    needed = [(line, line["Quantity"]) for line in template]
    for child in children:
        for position, (line, count) in enumerate(needed):
            if count and fits_line(child, line):
                needed[position] = (line, count - 1)
                break
    return needed
