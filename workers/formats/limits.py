"""What a format cannot hold."""


class DoesNotFitError(Exception):
    """A report does not fit into its format; the message tells a teacher what to request instead."""
