#!/usr/bin/python
"""Not the DOCUMENTATION = 'of anything'."""

DOCUMENTATION = r'''
---
module: anvil
short_description: Orders C(anvils) from a catalogue that has many of them, in all sizes
version_added: 1.0.0
description:
  - Orders I(anvils) and B(waits) for them. See L(the catalogue,https://acme.example/anvils) and M(ansible.builtin.uri).
  - |
    A second paragraph.

    With a third one in it, about O(size=large) and V(a\)b) and P(acme.tools.heavier#filter).
author:
  - Wile E. Coyote (@coyote)
  - The Catalogue
options:
  size:
    description:
      - How large an anvil is, which says nothing about how heavy it will be when it arrives at the place where it is to fall.
      - Ignored with O(weights).
    type: str
    choices: [small, large]
    default: small
    aliases: [dimension]
  weights:
    description: The weights.
    type: list
    elements: dict
    suboptions:
      kilograms:
        description: In kilograms.
        type: float
        required: true
      unit:
        description: What it was in before.
        choices:
          lb: pounds
          st: stones
        version_added: 1.2.0
  a_very_long_name_of_an_option:
    description: Whether "yes" is a text.
    default: 'yes'
    required: false
  dest:
    description: Where it falls.
    required: true
    type: path
attributes:
  check_mode:
    description: Can run in check mode and say what it would order, without an order being sent to the catalogue.
    support: full
requirements:
  - a cliff that is high enough for what is to fall from it, and someone below
extends_documentation_fragment:
  - acme.tools.common
  - acme.tools.common.retries
notes:
  - Do not stand below.
seealso:
  - module: ansible.builtin.uri
  - module: acme.tools.other
    description: Another one.
  - name: The catalogue
    description: All that there is.
    link: https://acme.example
'''

EXAMPLES = r'''
- name: Order one
  acme.tools.anvil:
    dest: /canyon
'''

RETURN = r'''
order:
  description: The order, as the catalogue has it.
  returned: when O(dest) exists
  type: dict
  sample: {"number": 7, "items": ["anvil"]}
  contains:
    number:
      description: Its number.
      type: int
      version_added: 1.1.0
'''
