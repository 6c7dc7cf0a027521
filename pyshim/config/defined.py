# SPDX-License-Identifier: BSD-3-Clause
"""Sections of which keys are lines of `settings.def`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from pydantic import Field, create_model

from pyshim.config.section import Section
from pyshim.settings import in_section

Model = TypeVar("Model", bound=Section)


def defined(section: str) -> Callable[[type[Model]], type[Model]]:
    """The model with the keys that `settings.def` has for the section, before those of its own.

    One that Python itself reads stands in the model, too, with its type alone.
    """

    def with_keys(model: type[Model]) -> type[Model]:
        keys: dict[str, Any] = {
            one.name: (
                one.type,
                Field(default=one.default, ge=one.least, le=one.most, description=one.help),
            )
            for one in in_section(section)
        }
        declared = {name: (field.annotation, field) for name, field in model.model_fields.items()}
        assert all(declared[name][0] is keys[name][0] for name in declared.keys() & keys.keys())
        made: Any = create_model(
            model.__name__,
            __base__=Section,
            __module__=model.__module__,
            __doc__=model.__doc__,
            **keys | {name: own for name, own in declared.items() if name not in keys},
        )
        return cast(type[Model], made)

    return with_keys
