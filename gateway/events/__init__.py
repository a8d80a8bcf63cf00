"""The event as it leaves the box (CloudEvents 1.0), its MQTT topics, and its other forms. Pure.

May import `model`, `udi`, `station` and `drivers.model`. The central side imports this package.
"""
