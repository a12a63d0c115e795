"""The commands of a simulated guest, with the exact texts of real ones."""
