"""Stage 01: raw pairs, read strictly, cleaned, audited and split."""
