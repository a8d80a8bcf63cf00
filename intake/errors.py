"""Errors of commands, whose message is meant for the person who typed one."""


class RefusedError(ValueError):
    """What was asked for cannot be done: what, why, what is allowed."""


class BrokerUnreachableError(Exception):
    """A broker did not answer, or refuses: operation, address, cause."""
