"""Every request of a life cycle, each with every fault that can befall it, once and for ever.

`kinds` says what can go wrong, `scenarios` what is done, `judge` what must hold whatever goes
wrong, `cases` puts them together, and `run` runs them all and counts.
"""
