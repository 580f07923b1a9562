"""Where part number, revision and process come from: sources tried in order, each with a name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import structlog

from handlers import fact_keys as keys
from handlers.patterns import fits
from handlers.rules import PartRule, RecipeRule, Rules, StationRule, WorkOrderRule
from handlers.unit_context import Known, Recipe
from pywats_events.errors import NotReady

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """A unit whose product is to be found.

    Attributes:
        said_recipe: the recipe that the result itself names.
        method: how the unit was tested.
    """

    rules: Rules
    station: StationRule
    known: Known
    serial: str
    said_recipe: Recipe | None = None
    method: str | None = None

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """All recipes that may decide, the closest first."""
        said = (self.said_recipe,) if self.said_recipe else ()
        return (*said, *self.known.recipes)


@dataclass(frozen=True, slots=True)
class Part:
    """A product, and the rule that gave it; the revision may come from another one."""

    part_number: str
    revision: str | None
    process: int | None
    rule: str
    revision_rule: str | None = None


#: What a source answers: the part, or (in words) why it has none; several where it tried several.
Answer: TypeAlias = Part | list[str]


@dataclass(frozen=True, slots=True)
class PartSource:
    """One place where a part number may come from."""

    name: str
    find: Callable[[Question], Answer]


def default_sources() -> tuple[PartSource, ...]:
    """Give the sources in their order; others may be put between them."""
    return (
        PartSource("recipe of the message", _by_said_recipe),
        PartSource("recipe of the work", lambda question: _by_known_recipe(question, "the work")),
        PartSource("work order", _by_work_order),
        PartSource("product of the work order", _by_order_product),
        PartSource("active recipe", lambda question: _by_known_recipe(question, "the station")),
        PartSource("serial number", _by_serial),
        PartSource("recipe's name", _by_recipe_name),
        PartSource("station", _by_station),
    )


def find_part(question: Question, sources: Sequence[PartSource]) -> Part:
    """Ask the sources in order; the first hit wins.

    Raises:
        NotReady: none knows a part number; the text says what was tried.
    """
    tried: list[str] = []
    for source in sources:
        answer = source.find(question)
        if isinstance(answer, Part):
            _log.debug("part number found", part_number=answer.part_number, rule=answer.rule)
            return answer
        tried += [why for why in answer if why not in tried]
    known = question.known
    raise NotReady(
        f'station "{known.handle}", unit "{question.serial}": no part number. '
        f"Tried: {'; '.join(tried)}. Add a [[recipes]] or [[stations]] entry",
        facts=_helpful(known),
        give_up_after=question.rules.report.give_up_after,
    )


def find_process(question: Question, part: Part) -> tuple[int, str]:
    """Give the code of the test operation and the rule that gave it.

    Raises:
        NotReady: nothing is configured for the station.
    """
    station = question.station
    for pattern, code in station.process_by_recipe.items():
        for recipe in question.recipes:
            if fits(pattern, recipe.name):
                return code, f'process_by_recipe "{pattern}" of station "{station.handle}"'
    if part.process is not None:
        return part.process, part.rule
    by_method = _by_method(station.process_by_method, question.method)
    if by_method is not None:
        return by_method, f'process_by_method "{question.method}" of station "{station.handle}"'
    if station.process is not None:
        return station.process, f'process of station "{station.handle}"'
    by_method = _by_method(question.rules.process_by_method, question.method)
    if by_method is not None:
        return by_method, f'process_by_method "{question.method}"'
    details = [f"method {question.method}"] if question.method else []
    details += [f'recipe "{recipe.name}"' for recipe in question.recipes[:1] if station.process_by_recipe]
    facts = _helpful(question.known) if station.process_by_recipe else ()
    raise NotReady(
        f'station "{question.known.handle}": no process is configured for it'
        f"{' (' + ', '.join(details) + ')' if details else ''}; add it under [[stations]]",
        facts=facts,
        give_up_after=question.rules.report.give_up_after if facts else 0.0,
    )


def _by_said_recipe(question: Question) -> Answer:
    if question.said_recipe is None:
        return ["recipe of the message (none)"]
    return _in_tables(question, question.said_recipe)


def _by_known_recipe(question: Question, said_by: str) -> Answer:
    recipes = [recipe for recipe in question.known.recipes if recipe.said_by == said_by]
    return _in_tables(question, recipes[0]) if recipes else [f"recipe of {said_by} (none known)"]


def _in_tables(question: Question, recipe: Recipe) -> Answer:
    for pattern, rule in question.station.recipes.items():
        if fits(pattern, recipe.name):
            where = f'recipes "{pattern}" of station "{question.station.handle}"'
            return _part(rule, f'recipe "{recipe.name}" by {where}')
    hit = _first(question.rules.recipes, recipe.name)
    if hit:
        return _part(hit, f'recipe "{recipe.name}" by [[recipes]] "{hit.recipe}"')
    return [f'recipe "{recipe.name}" in [[recipes]] (no match)']


def _first(rules: Iterable[RecipeRule], name: str) -> RecipeRule | None:
    return next((rule for rule in rules if fits(rule.recipe, name)), None)


def _by_work_order(question: Question) -> Answer:
    known = question.known.work_order
    order = known.id if known else None
    if order is None:
        return ["work order (none known)"]
    hits: Iterator[WorkOrderRule] = (
        rule for rule in question.rules.work_orders if fits(rule.work_order, order)
    )
    for rule in hits:
        return _part(rule, f'work order "{order}" by [[work_orders]] "{rule.work_order}"')
    return [f'work order "{order}" in [[work_orders]] (no match)']


def _by_order_product(question: Question) -> Answer:
    known = question.known
    made = known.order_product
    if made is None or known.work_order is None:
        return []
    how = f'product that work order "{known.work_order.id}" was created for'
    return Part(made["part_number"], made.get("revision"), None, how)


def _by_serial(question: Question) -> Answer:
    return _by_regexes(
        "serial number", question.serial, [question.station.serial_regex, *question.rules.serial_regexes]
    )


def _by_recipe_name(question: Question) -> Answer:
    tried: list[str] = []
    for recipe in question.recipes:
        answer = _by_regexes(
            "recipe", recipe.name, [question.station.recipe_regex, *question.rules.recipe_regexes]
        )
        if isinstance(answer, Part):
            return answer
        tried += answer
    return tried


def _by_regexes(what: str, text: str, regexes: Iterable[str | None]) -> Answer:
    given = [regex for regex in regexes if regex]
    for regex in given:
        found = re.search(regex, text)
        groups = found.groupdict() if found else {}
        part_number = (groups.get("pn") or "").strip()
        if part_number:
            revision = (groups.get("rev") or "").strip() or None
            return Part(part_number, revision, None, f'{what} "{text}" by the expression "{regex}"')
    return [f'{what} "{text}" by {len(given)} expressions (no match)'] if given else []


def _by_station(question: Question) -> Answer:
    station = question.station
    if station.part_number is None:
        return [f'part_number of station "{station.handle}" (none)']
    return Part(
        station.part_number,
        station.revision,
        None,
        f'part_number of station "{station.handle}" in [[stations]]',
    )


def _part(rule: PartRule, why: str) -> Part:
    return Part(rule.part_number, rule.revision, rule.process, why)


def _by_method(table: dict[str, int], method: str | None) -> int | None:
    wanted = (method or "").lower()
    return next((code for name, code in table.items() if name.lower() == wanted), None)


def _helpful(known: Known) -> tuple[str, ...]:
    """Give the facts that may still come and would tell the product: of recipes and work orders."""
    wanted = [
        keys.recipe(known.handle),
        *(keys.order(name) for name in (known.identifier, known.panel) if name),
    ]
    if known.transaction:
        wanted.append(keys.work(known.handle, known.transaction))
    else:
        wanted.append(keys.work_on(known.handle, known.identifier))
    if known.lane is not None:
        wanted.append(keys.recipe(known.handle, known.lane))
    wanted += known.keys_of_order
    return tuple(dict.fromkeys(wanted))


def with_revision(part: Part, station: StationRule, default: str) -> Part:
    """Give the part with a revision: its own, else the station's, else the default."""
    if part.revision:
        return part
    if station.revision:
        return replace(
            part, revision=station.revision, revision_rule=f'revision of station "{station.handle}"'
        )
    return replace(part, revision=default, revision_rule="report.default_revision")
