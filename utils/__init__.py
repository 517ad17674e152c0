"""The workbook's package: one module for each stage and each thing of the domain.

Importing it loads nothing; see the README for the map of modules.
"""
