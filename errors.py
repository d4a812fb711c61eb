"""The one exception that the user is meant to read."""


class InputError(ValueError):
    """Unusable input. The message is one sentence: what was expected, what came, what to do."""
