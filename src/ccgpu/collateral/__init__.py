"""What verdicts need from outside: fetched, bounded and cached here, and believed nowhere."""
