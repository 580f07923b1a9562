"""What stations say of work and units: begun, done, scrapped."""

from __future__ import annotations

from pywats_cfx import messages as cfx
from samples import product
from samples.panels import Circuit, Panel, positions


def work_order() -> cfx.WorkOrderIdentifier:
    """Give the work order that the line runs."""
    return cfx.WorkOrderIdentifier(work_order_id=product.WORK_ORDER, batch=product.BATCH)


def units_initialized(panel: Panel, transaction: str) -> cfx.UnitsInitialized:
    """The laser has marked the boards of a panel."""
    return cfx.UnitsInitialized(
        transaction_id=transaction,
        primary_identifier=panel.name,
        work_order_identifier=work_order(),
        unit_count=len(panel.circuits),
        units=positions(panel, by_serial=True),
    )


def recipe_activated(recipe: str, revision: str) -> cfx.RecipeActivated:
    """A recipe was made ready."""
    return cfx.RecipeActivated(
        recipe_name=recipe,
        revision=revision,
        lane=1,
        expected_cycle_time=24.0,
        expected_work_time=20.0,
        expected_units_per_work_transaction=1.0,
        number_of_components_per_unit=float(len(product.PARTS)),
        work_order_identifier=work_order(),
        target_quantity=500.0,
        relevant_surface=cfx.Surface.PrimarySurface,
    )


def work_started(
    panel: Panel, transaction: str, recipe: str, revision: str, *, by_serial: bool = False
) -> cfx.WorkStarted:
    """A station begins with a panel."""
    return cfx.WorkStarted(
        primary_identifier=panel.name,
        transaction_id=transaction,
        lane=1,
        unit_count=len(panel.circuits),
        units=positions(panel, by_serial=by_serial),
        recipe_name=recipe,
        revision=revision,
        relevant_surface=cfx.Surface.PrimarySurface,
        work_order_identifier=work_order(),
    )


def work_completed(
    panel: Panel, transaction: str, result: cfx.WorkResult = cfx.WorkResult.Completed
) -> cfx.WorkCompleted:
    """A station is done with a panel; which units those were it said when it began."""
    return cfx.WorkCompleted(
        transaction_id=transaction, result=result, primary_identifier=panel.name, unit_count=0
    )


def units_disqualified(panel: Panel, circuit: Circuit) -> cfx.UnitsDisqualified:
    """A board is scrapped."""
    single = Panel(panel.name, (circuit,))
    return cfx.UnitsDisqualified(
        primary_identifier=panel.name,
        reason=cfx.DisqualificationReason.DefectiveRepairNotFeasible,
        comments="failed the in-circuit test twice",
        unit_count=1,
        units=positions(single, by_serial=True),
    )
