"""Stage 07: a release of a run: card, licences, ledger, exports, and the push to the hub."""
