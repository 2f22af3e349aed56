"""The `retarget` command."""


def retarget() -> None:
    """Placeholder while the room is built."""
