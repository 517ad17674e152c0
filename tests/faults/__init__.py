"""`make faults`: runs that are killed, damaged, filled up and cut off."""
