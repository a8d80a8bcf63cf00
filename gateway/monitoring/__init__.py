"""What the daemon reports of itself and its box: health, alarms, Prometheus, doctor, remote commands.

May import everything but `display`, `app` and `cli`.
"""
