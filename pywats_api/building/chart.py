"""A chart: curves, and numbers taken from them."""

import math
from collections.abc import Iterable
from typing import Any

from pywats_api.building.details import StepDetails
from pywats_api.building.errors import ReportError, naming, step_place
from pywats_api.building.several import SeveralNumbers
from pywats_api.wsjf import Chart, ChartSeries
from pywats_api.wsjf.steps import ChartType


class ChartStep(SeveralNumbers):
    """A graph step. Curves are for the eye; what shall fail the unit is added with `measure`."""

    _step_type = "WATS_XYGMNLT"
    _may_be_empty = True

    def __init__(
        self,
        name: str,
        path: str,
        details: StepDetails,
        *,
        label: str | None,
        chart_type: ChartType,
        x_label: str | None,
        x_unit: str | None,
        y_label: str | None,
        y_unit: str | None,
    ) -> None:
        super().__init__(name, path, details)
        with naming(step_place(path)):
            self._chart = Chart(
                label=name if label is None else label,
                chart_type=chart_type,
                x_label=x_label,
                x_unit=x_unit,
                y_label=y_label,
                y_unit=y_unit,
                series=[],
            )

    def curve(self, name: str, *, y: Iterable[float], x: Iterable[float] | None = None) -> None:
        """Add a curve. Limit lines are curves like the others.

        Args:
            name: in the legend, at most 100 characters.
            y: the values; leave a point out that is no number.
            x: as many as `y`; left out, the points are counted from 0.

        Raises:
            ReportError: the points do not pair up, or one is no number.
        """
        place = f'{step_place(self.path)}, curve "{name}"'
        with naming(place):
            ys = [float(value) for value in y]
            xs = None if x is None else [float(value) for value in x]
            if xs is not None and len(xs) != len(ys):
                raise ReportError(place, f"has {len(xs)} x values and {len(ys)} y values")
            series = ChartSeries(name=name, ydata=_joined(ys), xdata=None if xs is None else _joined(xs))
        self._chart.series.append(series)

    def _members(self) -> dict[str, Any]:
        if not self._chart.series:
            raise ReportError(step_place(self.path), "the chart has no curve")
        return super()._members() | {"chart": self._chart}


def _joined(values: list[float]) -> str:
    for position, value in enumerate(values):
        if not math.isfinite(value):
            raise ValueError(f"point {position} is {value}, which no chart can hold; leave it out")
    return ";".join(map(repr, values))
