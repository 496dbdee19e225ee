"""How a message names columns."""


def no_column(missing: list[str], columns: list[str]) -> str:
    """Says that `missing` are not among `columns`, which the config names."""
    return f"there is no column {quoted(missing)}; data.columns names {quoted(columns)}"


def quoted(names: list[str]) -> str:
    """'a', 'b'"""
    return ", ".join(repr(name) for name in names)
