"""From a verdict to the central system: outbox, publisher, events."""
