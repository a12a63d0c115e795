"""Workloads of a simulated guest: containers that follow a script, in virtual time."""
