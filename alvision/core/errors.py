"""The error that a user is meant to read."""


class UserError(Exception):
    """Say in one line what is wrong and what to do; the command line prints it and exits with 2."""
