"""Further everyday functions, which are only trained: none of their wordings is kept for asking."""
