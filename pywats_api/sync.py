"""The synchronous face of the client: the same calls, run on an event loop in a thread of its own."""

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from pydantic import SecretStr

from pywats_api.app import AppDomain
from pywats_api.asset import AssetDomain
from pywats_api.client import AsyncWATS
from pywats_api.process import ProcessDomain
from pywats_api.product import ProductDomain
from pywats_api.product_box_build import BoxBuildSubunit, BoxBuildTemplate
from pywats_api.product_records import Product, ProductView
from pywats_api.production import ProductionDomain
from pywats_api.report import ReportDomain
from pywats_api.root_cause import RootCauseDomain

_P = ParamSpec("_P")
_R = TypeVar("_R")
_D = TypeVar("_D")


class LoopThread:
    """An event loop in a background thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pywats", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, _R]) -> _R:
        """Run to the end and give the result; an interrupt cancels the coroutine."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()  # nothing to do but after KeyboardInterrupt

    def close(self) -> None:
        """Stop the loop and its thread."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _SyncDomain(Generic[_D]):
    def __init__(self, domain: _D, thread: LoopThread) -> None:
        self._domain = domain
        self._thread = thread


def _blocking(
    method: Callable[Concatenate[_D, _P], Coroutine[Any, Any, _R]],
) -> Callable[Concatenate[_SyncDomain[_D], _P], _R]:
    """The blocking twin of an async method: same name, arguments and documentation."""

    def call(self: _SyncDomain[_D], /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        return self._thread.run(method(self._domain, *args, **kwargs))

    call.__name__ = method.__name__
    call.__qualname__ = f"Sync{method.__qualname__}"
    call.__doc__ = method.__doc__
    call.__wrapped__ = method  # type: ignore[attr-defined]  # inspect.signature looks there
    return call


class SyncReportDomain(_SyncDomain[ReportDomain]):
    """``api.report``, blocking."""

    submit = _blocking(ReportDomain.submit)
    submit_report = _blocking(ReportDomain.submit_report)
    get = _blocking(ReportDomain.get)
    get_report = _blocking(ReportDomain.get_report)
    get_uut_report = _blocking(ReportDomain.get_uut_report)
    get_uur_report = _blocking(ReportDomain.get_uur_report)
    get_attachments = _blocking(ReportDomain.get_attachments)
    get_attachment = _blocking(ReportDomain.get_attachment)
    download_attachment = _blocking(ReportDomain.download_attachment)
    save_attachment = _blocking(ReportDomain.save_attachment)
    save_attachments = _blocking(ReportDomain.save_attachments)
    get_certificate = _blocking(ReportDomain.get_certificate)
    query_headers_by_misc_info = _blocking(ReportDomain.query_headers_by_misc_info)
    get_header = _blocking(ReportDomain.get_header)
    query_headers = _blocking(ReportDomain.query_headers)
    query_uut_headers = _blocking(ReportDomain.query_uut_headers)
    query_uur_headers = _blocking(ReportDomain.query_uur_headers)
    get_headers_by_serial = _blocking(ReportDomain.get_headers_by_serial)
    get_headers_by_part_number = _blocking(ReportDomain.get_headers_by_part_number)
    get_headers_by_date_range = _blocking(ReportDomain.get_headers_by_date_range)
    get_recent_headers = _blocking(ReportDomain.get_recent_headers)
    get_todays_headers = _blocking(ReportDomain.get_todays_headers)


class SyncProcessDomain(_SyncDomain[ProcessDomain]):
    """``api.process``, blocking."""

    get_processes = _blocking(ProcessDomain.get_processes)
    get_all_operations = _blocking(ProcessDomain.get_all_operations)
    refresh = _blocking(ProcessDomain.refresh)
    get_test_operations = _blocking(ProcessDomain.get_test_operations)
    get_repair_operations = _blocking(ProcessDomain.get_repair_operations)
    get_wip_operations = _blocking(ProcessDomain.get_wip_operations)
    get_process = _blocking(ProcessDomain.get_process)
    get_process_by_code = _blocking(ProcessDomain.get_process_by_code)
    get_process_by_name = _blocking(ProcessDomain.get_process_by_name)
    get_operation = _blocking(ProcessDomain.get_operation)
    get_test_operation = _blocking(ProcessDomain.get_test_operation)
    get_repair_operation = _blocking(ProcessDomain.get_repair_operation)
    get_wip_operation = _blocking(ProcessDomain.get_wip_operation)
    is_valid_test_operation = _blocking(ProcessDomain.is_valid_test_operation)
    is_valid_repair_operation = _blocking(ProcessDomain.is_valid_repair_operation)
    is_valid_wip_operation = _blocking(ProcessDomain.is_valid_wip_operation)
    get_default_test_code = _blocking(ProcessDomain.get_default_test_code)
    get_default_repair_code = _blocking(ProcessDomain.get_default_repair_code)
    find = _blocking(ProcessDomain.find)
    get_all_processes = _blocking(ProcessDomain.get_all_processes)
    get_repair_operation_configs = _blocking(ProcessDomain.get_repair_operation_configs)
    get_repair_categories = _blocking(ProcessDomain.get_repair_categories)
    get_fail_codes = _blocking(ProcessDomain.get_fail_codes)

    @property
    def refresh_interval(self) -> float:
        """Seconds the list is kept."""
        return self._domain.refresh_interval

    @refresh_interval.setter
    def refresh_interval(self, seconds: float) -> None:
        self._domain.refresh_interval = seconds

    @property
    def last_refresh(self) -> datetime | None:
        """When the list was read last, in local time without offset; None before the first time."""
        return self._domain.last_refresh


class SyncAssetDomain(_SyncDomain[AssetDomain]):
    """``api.asset``, blocking."""

    get_asset = _blocking(AssetDomain.get_asset)
    get_asset_by_serial = _blocking(AssetDomain.get_asset_by_serial)
    get_assets = _blocking(AssetDomain.get_assets)
    get_assets_by_type = _blocking(AssetDomain.get_assets_by_type)
    create_asset = _blocking(AssetDomain.create_asset)
    update_asset = _blocking(AssetDomain.update_asset)
    delete_asset = _blocking(AssetDomain.delete_asset)
    get_asset_types = _blocking(AssetDomain.get_asset_types)
    create_asset_type = _blocking(AssetDomain.create_asset_type)
    update_asset_type = _blocking(AssetDomain.update_asset_type)
    get_child_assets = _blocking(AssetDomain.get_child_assets)
    add_child_asset = _blocking(AssetDomain.add_child_asset)
    get_status = _blocking(AssetDomain.get_status)
    get_asset_state = _blocking(AssetDomain.get_asset_state)
    set_asset_state = _blocking(AssetDomain.set_asset_state)
    is_in_alarm = _blocking(AssetDomain.is_in_alarm)
    is_in_warning = _blocking(AssetDomain.is_in_warning)
    get_assets_with_alarm_state = _blocking(AssetDomain.get_assets_with_alarm_state)
    increment_count = _blocking(AssetDomain.increment_count)
    raise_total_count = _blocking(AssetDomain.raise_total_count)
    reset_running_count = _blocking(AssetDomain.reset_running_count)
    set_running_count = _blocking(AssetDomain.set_running_count)
    set_total_count = _blocking(AssetDomain.set_total_count)
    record_calibration = _blocking(AssetDomain.record_calibration)
    record_calibration_external = _blocking(AssetDomain.record_calibration_external)
    record_maintenance = _blocking(AssetDomain.record_maintenance)
    record_maintenance_external = _blocking(AssetDomain.record_maintenance_external)
    post_message = _blocking(AssetDomain.post_message)
    add_log_message = _blocking(AssetDomain.add_log_message)
    get_asset_log = _blocking(AssetDomain.get_asset_log)
    get_asset_tags = _blocking(AssetDomain.get_asset_tags)
    set_asset_tags = _blocking(AssetDomain.set_asset_tags)
    add_asset_tag = _blocking(AssetDomain.add_asset_tag)
    upload_blob = _blocking(AssetDomain.upload_blob)
    list_blobs = _blocking(AssetDomain.list_blobs)
    download_blob = _blocking(AssetDomain.download_blob)
    delete_blobs = _blocking(AssetDomain.delete_blobs)
    upload_file = _blocking(AssetDomain.upload_file)
    list_files = _blocking(AssetDomain.list_files)
    download_file = _blocking(AssetDomain.download_file)
    delete_files = _blocking(AssetDomain.delete_files)


class SyncBoxBuildTemplate:
    """`BoxBuildTemplate`, blocking. Use it in a ``with`` to have the changes saved at its end."""

    def __init__(self, template: BoxBuildTemplate, thread: LoopThread) -> None:
        self._template = template
        self._thread = thread

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.save()

    @property
    def part_number(self) -> str:
        """Of the product that is put together."""
        return self._template.part_number

    @property
    def revision(self) -> str:
        """Of the product that is put together."""
        return self._template.revision

    @property
    def subunits(self) -> list[BoxBuildSubunit]:
        """The units needed, changes that are not sent yet included."""
        return self._template.subunits

    def add_subunit(self, *args: Any, **kwargs: Any) -> Self:
        """Say that a unit is needed, as `BoxBuildTemplate.add_subunit` does."""
        self._template.add_subunit(*args, **kwargs)
        return self

    def update_subunit(self, *args: Any, **kwargs: Any) -> Self:
        """Change a line, as `BoxBuildTemplate.update_subunit` does."""
        self._template.update_subunit(*args, **kwargs)
        return self

    def remove_subunit(self, *args: Any, **kwargs: Any) -> Self:
        """Say that a unit is needed no more, as `BoxBuildTemplate.remove_subunit` does."""
        self._template.remove_subunit(*args, **kwargs)
        return self

    def save(self) -> Self:
        """Send the changes, as `BoxBuildTemplate.save` does."""
        self._thread.run(self._template.save())
        return self


def _blocking_template(
    method: Callable[[ProductDomain, str, str], Coroutine[Any, Any, BoxBuildTemplate]],
) -> Callable[[_SyncDomain[ProductDomain], str, str], SyncBoxBuildTemplate]:
    """The blocking twin of a method that gives a template: what it gives is blocking too."""
    inner = _blocking(method)

    @functools.wraps(method)
    def call(self: _SyncDomain[ProductDomain], /, part_number: str, revision: str) -> SyncBoxBuildTemplate:
        return SyncBoxBuildTemplate(inner(self, part_number, revision), self._thread)

    return call


class SyncProductDomain(_SyncDomain[ProductDomain]):
    """``api.product``, blocking."""

    get_products = _blocking(ProductDomain.get_products)
    get_products_full = _blocking(ProductDomain.get_products_full)
    get_active_products = _blocking(ProductDomain.get_active_products)
    get_product = _blocking(ProductDomain.get_product)
    get_product_full = _blocking(ProductDomain.get_product_full)
    get_products_batch = _blocking(ProductDomain.get_products_batch)
    create_product = _blocking(ProductDomain.create_product)
    update_product = _blocking(ProductDomain.update_product)
    bulk_save_products = _blocking(ProductDomain.bulk_save_products)
    get_revision = _blocking(ProductDomain.get_revision)
    get_revisions = _blocking(ProductDomain.get_revisions)
    get_revisions_batch = _blocking(ProductDomain.get_revisions_batch)
    create_revision = _blocking(ProductDomain.create_revision)
    update_revision = _blocking(ProductDomain.update_revision)
    bulk_save_revisions = _blocking(ProductDomain.bulk_save_revisions)
    get_bom = _blocking(ProductDomain.get_bom)
    get_bom_items = _blocking(ProductDomain.get_bom_items)
    update_bom = _blocking(ProductDomain.update_bom)
    upload_bom = _blocking(ProductDomain.upload_bom)
    upload_bom_from_dict = _blocking(ProductDomain.upload_bom_from_dict)
    get_box_build_subunits = _blocking(ProductDomain.get_box_build_subunits)
    get_groups = _blocking(ProductDomain.get_groups)
    get_product_groups = _blocking(ProductDomain.get_product_groups)
    get_groups_for_product = _blocking(ProductDomain.get_groups_for_product)
    add_to_group = _blocking(ProductDomain.add_to_group)
    get_product_tags = _blocking(ProductDomain.get_product_tags)
    set_product_tags = _blocking(ProductDomain.set_product_tags)
    add_product_tag = _blocking(ProductDomain.add_product_tag)
    get_revision_tags = _blocking(ProductDomain.get_revision_tags)
    set_revision_tags = _blocking(ProductDomain.set_revision_tags)
    add_revision_tag = _blocking(ProductDomain.add_revision_tag)
    get_vendors = _blocking(ProductDomain.get_vendors)
    save_vendor = _blocking(ProductDomain.save_vendor)
    delete_vendor = _blocking(ProductDomain.delete_vendor)

    get_box_build_template = _blocking_template(ProductDomain.get_box_build_template)
    get_box_build = _blocking_template(ProductDomain.get_box_build)

    def is_active(self, product: Product | ProductView) -> bool:
        """Whether a product may be used; asks nobody."""
        return self._domain.is_active(product)


class SyncProductionDomain(_SyncDomain[ProductionDomain]):
    """``api.production``, blocking."""

    get_unit = _blocking(ProductionDomain.get_unit)
    create_units = _blocking(ProductionDomain.create_units)
    create_unit = _blocking(ProductionDomain.create_unit)
    update_unit = _blocking(ProductionDomain.update_unit)
    get_unit_tags = _blocking(ProductionDomain.get_unit_tags)
    set_unit_tags = _blocking(ProductionDomain.set_unit_tags)
    save_batches = _blocking(ProductionDomain.save_batches)
    get_unit_verification = _blocking(ProductionDomain.get_unit_verification)
    verify_unit = _blocking(ProductionDomain.verify_unit)
    get_unit_grade = _blocking(ProductionDomain.get_unit_grade)
    is_unit_passing = _blocking(ProductionDomain.is_unit_passing)
    get_all_unit_phases = _blocking(ProductionDomain.get_all_unit_phases)
    get_phases = _blocking(ProductionDomain.get_phases)
    get_unit_phases = _blocking(ProductionDomain.get_unit_phases)
    get_phase = _blocking(ProductionDomain.get_phase)
    get_phase_id = _blocking(ProductionDomain.get_phase_id)
    set_unit_phase = _blocking(ProductionDomain.set_unit_phase)
    set_unit_process = _blocking(ProductionDomain.set_unit_process)
    get_unit_changes = _blocking(ProductionDomain.get_unit_changes)
    acknowledge_unit_change = _blocking(ProductionDomain.acknowledge_unit_change)
    add_child_to_assembly = _blocking(ProductionDomain.add_child_to_assembly)
    remove_child_from_assembly = _blocking(ProductionDomain.remove_child_from_assembly)
    verify_assembly = _blocking(ProductionDomain.verify_assembly)
    get_serial_number_types = _blocking(ProductionDomain.get_serial_number_types)
    allocate_serial_numbers = _blocking(ProductionDomain.allocate_serial_numbers)
    find_serial_numbers_in_range = _blocking(ProductionDomain.find_serial_numbers_in_range)
    find_serial_numbers_by_reference = _blocking(ProductionDomain.find_serial_numbers_by_reference)
    export_serial_numbers = _blocking(ProductionDomain.export_serial_numbers)
    import_serial_numbers = _blocking(ProductionDomain.import_serial_numbers)


class SyncRootCauseDomain(_SyncDomain[RootCauseDomain]):
    """``api.rootcause``, blocking."""

    get_ticket = _blocking(RootCauseDomain.get_ticket)
    get_tickets = _blocking(RootCauseDomain.get_tickets)
    get_open_tickets = _blocking(RootCauseDomain.get_open_tickets)
    get_active_tickets = _blocking(RootCauseDomain.get_active_tickets)
    find_ticket_by_tag = _blocking(RootCauseDomain.find_ticket_by_tag)
    create_ticket = _blocking(RootCauseDomain.create_ticket)
    update_ticket = _blocking(RootCauseDomain.update_ticket)
    add_comment = _blocking(RootCauseDomain.add_comment)
    change_status = _blocking(RootCauseDomain.change_status)
    assign_ticket = _blocking(RootCauseDomain.assign_ticket)
    add_tags = _blocking(RootCauseDomain.add_tags)
    archive_tickets = _blocking(RootCauseDomain.archive_tickets)
    upload_attachment = _blocking(RootCauseDomain.upload_attachment)
    get_attachment = _blocking(RootCauseDomain.get_attachment)


class SyncAppDomain(_SyncDomain[AppDomain]):
    """``api.app``, blocking."""

    get_version = _blocking(AppDomain.get_version)
    get_processes = _blocking(AppDomain.get_processes)
    get_product_groups = _blocking(AppDomain.get_product_groups)


class pyWATS:  # noqa: N801  # the name users know
    """`AsyncWATS` for code without an event loop; takes the same options.

    Use it as ``with pyWATS(...) as api``, or call `close` when done. May be used from several threads.
    """

    def __init__(
        self, base_url: str | None = None, token: str | SecretStr | None = None, **options: Any
    ) -> None:
        self._thread = LoopThread()
        try:
            self._api = self._thread.run(_make(base_url, token, options))
        except BaseException:
            self._thread.close()
            raise
        self.report = SyncReportDomain(self._api.report, self._thread)
        self.process = SyncProcessDomain(self._api.process, self._thread)
        self.asset = SyncAssetDomain(self._api.asset, self._thread)
        self.product = SyncProductDomain(self._api.product, self._thread)
        self.production = SyncProductionDomain(self._api.production, self._thread)
        self.rootcause = SyncRootCauseDomain(self._api.rootcause, self._thread)
        self.app = SyncAppDomain(self._api.app, self._thread)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._api.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get_version(self) -> str:
        """Version of the server."""
        return self._thread.run(self._api.get_version())

    def test_connection(self) -> bool:
        """True if the server answers and takes the token; else the error that says why not is raised."""
        return self._thread.run(self._api.test_connection())

    def close(self) -> None:
        """Close the connections and end the background thread; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._thread.run(self._api.aclose())
            self._thread.close()

    _closed = False


async def _make(base_url: str | None, token: str | SecretStr | None, options: dict[str, Any]) -> AsyncWATS:
    return AsyncWATS(base_url, token, **options)
