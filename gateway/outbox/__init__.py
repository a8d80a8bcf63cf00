"""The outbox: where a scan becomes durable, and where it waits until the central system has it.

May import `events` and what lies below. Exactly one thread writes it; every reader has a connection of its own.
"""
