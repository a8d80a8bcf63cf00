"""A whole box in one file: its backup, and the archive for whoever helps.

May import everything but `display`, `app` and `cli`.
"""
