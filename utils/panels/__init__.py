"""The notebooks' widgets: thin, with all logic in the modules above them."""
