"""Scanners as things: which are plugged in, where they sit, how they are calibrated and set up.

May import `drivers`, `firmware_config`, `udi` and `system`.
"""
