"""Delivery over MQTT: from the outbox to the broker, and commands back.

May import `outbox`, `events` and what lies below. paho is imported here only.
"""
