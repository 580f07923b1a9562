"""Who answers machines that ask whether units may be worked on."""

from __future__ import annotations

import importlib
import inspect
from typing import Any, cast

from handlers import FactStore, Rules
from handlers.validation import WatsUnitValidator
from handlers.validation_timed import TimedValidator
from pywats_api import AsyncWATS
from pywats_api.unit_phases import phase_of
from pywats_bridge.settings import ConfigurationError, ValidationSettings
from pywats_events.questions import UnitValidator


def validator_of(
    settings: ValidationSettings, api: AsyncWATS, rules: Rules, memory: FactStore
) -> UnitValidator | None:
    """Make the validator that the configuration wants; it answers in time and raises nothing.

    Args:
        settings: section ``[validation]``.
        api: the WATS client.
        rules: stations, recipes and the other rules.
        memory: the journal, or the part of it that keeps facts.

    Returns:
        None when validation is not enabled.

    Raises:
        ConfigurationError: the validator of the configuration can't be had.
    """
    if not settings.enabled:
        return None
    validator = (
        WatsUnitValidator(
            api,
            rules,
            memory,
            blocking_phases=tuple(map(phase_of, settings.blocking_phases)),
            no_rule=settings.no_rule,
            unknown_unit=settings.unknown_unit,
            when_unanswered=settings.when_unanswered,
            time_limit=settings.time_limit,
        )
        if settings.validator is None
        else _own_validator(settings.validator, api)
    )
    return TimedValidator(validator, time_limit=settings.time_limit, when_unanswered=settings.when_unanswered)


def _own_validator(path: str, api: AsyncWATS) -> UnitValidator:
    module_name, _, name = path.partition(":")
    try:
        kind = getattr(importlib.import_module(module_name), name)
        made = _made(kind, api)
    except _Unfit as error:
        raise _mistake(path, str(error)) from None
    except Exception as error:  # somebody else's code may fail in any way
        raise _mistake(path, f"{type(error).__name__}: {error}") from error
    if not inspect.iscoroutinefunction(getattr(made, "validate", None)):
        raise _mistake(path, "has no method: async def validate(self, question)")
    return cast("UnitValidator", made)


class _Unfit(Exception):  # noqa: N818  # says a state
    """The class can't be made by us."""


def _made(kind: Any, api: AsyncWATS) -> Any:
    if not callable(kind):
        raise _Unfit("is no class")
    signature = inspect.signature(kind)
    for arguments in ((), (api,)):
        try:
            signature.bind(*arguments)
        except TypeError:
            continue
        return kind(*arguments)
    raise _Unfit(f"takes {signature}; it should take nothing, or the WATS client")


def _mistake(path: str, reason: str) -> ConfigurationError:
    return ConfigurationError([f"validation.validator: {path}: {' '.join(reason.split())}"])
