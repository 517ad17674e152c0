"""From a run to a release: its model card, ledger, exports and upload."""
