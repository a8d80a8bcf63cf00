"""The path of a scan: reader -> inbox -> worker -> pipeline -> transaction -> event builder -> outbox.

May import everything but `monitoring`, `display`, `app` and `cli`.
"""
