# SPDX-License-Identifier: BSD-3-Clause
"""The base of every section of a configuration, and how a text value gets a check and schema of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, WithJsonSchema
from pydantic_core import PydanticCustomError

OWN_ERROR = "pollgate"  # type of the errors whose text is already a finished sentence

T = TypeVar("T")


class Section(BaseModel):
    """A mapping of the file: no unknown keys, no coercion, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def sentence(parse: Callable[[str], T]) -> Callable[[Any], T]:
    """`parse` as a validator: its ValueError becomes an OWN_ERROR, a value other than text a type error."""

    def validate(found: Any) -> T:
        if not isinstance(found, str):
            raise PydanticCustomError("string_type", "not text")
        try:
            return parse(found)
        except ValueError as error:
            raise PydanticCustomError(OWN_ERROR, "{text}", {"text": str(error)}) from None

    return validate


def text_schema(title: str, pattern: str | None = None) -> WithJsonSchema:
    """Schema of a text value; `title` is what messages and editors call it."""
    return WithJsonSchema(
        {"type": "string", "title": title} | ({"pattern": pattern} if pattern is not None else {})
    )
