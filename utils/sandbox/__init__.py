"""Untrusted code, run in a WebAssembly guest and judged without letting it see its tests."""
