"""Types of data that is read from JSON or written to it."""

from collections.abc import Mapping
from typing import Any, TypeAlias

__all__ = ["JsonObject", "JsonView"]

JsonObject: TypeAlias = dict[str, Any]
"""An object of JSON: metadata, a report, a row of a table, the document of a glTF model. Docstrings say which members
it has. Values of files that were not checked yet may be anything."""
JsonView: TypeAlias = Mapping[str, Any]
"""A JsonObject that is only read."""
