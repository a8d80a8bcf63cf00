"""The configuration file: TOML -> Structs, checked.

Gathers the sections that packages define beside their owners. Imported by `devices`, `scanning`, `monitoring`,
`app` and `cli`, by nothing below them.
"""
