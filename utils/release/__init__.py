"""From a run to a release: model card, licences, ledger, verified exports, and the upload."""
