"""Builds the documentation's site: what MkDocs is given beside the pages of docs/."""
