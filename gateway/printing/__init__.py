"""Sheets and pages to print, as SVG and PDF. Pure.

May import `drivers`, `firmware_config`, `station` and `system`.
"""
