"""The station display: a page for a small screen beside the scanner, in a process of its own.

It knows only what the control socket tells, and hands on only what the page shows: never who a patient or a member
of staff is.
"""
