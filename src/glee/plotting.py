"""Drawing curves: whether what draws them is installed."""


def require_plotting() -> None:
    """Raise ImportError, with what supplies it, if matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            'drawing curves needs matplotlib: pip install "glee-vision[plot]"'
        ) from error
