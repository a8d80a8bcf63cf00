"""Recalls: deltas of the article master as they arrive, and the past scans that they affect.

May import `articles`, `events`, `outbox` and `mqtt`.
"""
