"""The vTPM: quote, PCR values and event log, in the formats of the TCG."""
