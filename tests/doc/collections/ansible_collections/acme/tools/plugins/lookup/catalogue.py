DOCUMENTATION = """
name: catalogue
short_description: reads the catalogue
description: Reads the catalogue.
options:
  _terms:
    description: What to look for.
    required: true
  edition:
    description: Which edition.
    default: 1
    ini:
      - section: acme
        key: edition
    env:
      - name: ACME_EDITION
deprecated:
  why: Printed no more
  removed_in: 3.0.0
  alternative: Use the telephone
"""
