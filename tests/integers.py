"""Objects that may stand for an integer, and others that may not."""


class Indexable:
    """Has ``__index__`` and nothing else, as NumPy's integers have."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __index__(self) -> int:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value  # type: ignore[return-value]  # a wrong type is one of the cases

    def __repr__(self) -> str:
        return f"Indexable({self.value!r})"


class Intable:
    """Has ``__int__`` only: no integer."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __int__(self) -> int:
        return self.value
