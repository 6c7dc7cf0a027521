# SPDX-License-Identifier: BSD-3-Clause
"""Sections whose keys are lines of `settings.def`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from pydantic import Field, create_model

from pyshim.config.section import Section
from pyshim.settings import in_section

Model = TypeVar("Model", bound=Section)


def defined(section: str, *, behind: bool = False) -> Callable[[type[Model]], type[Model]]:
    """Add the section's keys of `settings.def` to a model: before the model's own keys, or `behind` them.

    A key that Python itself reads is declared in the model, too: its type alone, without default or range.
    """

    def with_keys(model: type[Model]) -> type[Model]:
        keys: dict[str, Any] = {
            one.name: (
                one.type,
                Field(default=one.default, ge=one.least, le=one.most, description=one.help),
            )
            for one in in_section(section)
        }
        declared = keys.keys() & model.model_fields.keys()
        assert all(model.model_fields[name].annotation is keys[name][0] for name in declared)
        # The order of the bases is the order of the keys. A base keeps its checks and properties.
        base: Any = create_model(f"_{model.__name__}", __base__=Section, **keys)
        made: Any = create_model(
            model.__name__,
            __base__=(base, model) if behind else (model, base),
            __module__=model.__module__,
            __doc__=model.__doc__,
            **{name: keys[name] for name in declared},
        )
        return cast(type[Model], made)

    return with_keys
