"""Makes a wheel that holds the executable: wheel.py RPLAY VERSION PROCESSOR DIRECTORY

The executable is linked statically, so the wheel holds for every Linux of that processor.
"""

import base64
import hashlib
import os
import sys
import zipfile

rplay, version, processor, directory = sys.argv[1:]
tags = ['py3-none-%s_%s' % (platform, processor) for platform in ('manylinux2014', 'musllinux_1_1')]
info = 'rplay-%s.dist-info' % version
metadata = '''Metadata-Version: 2.1
Name: rplay
Version: %s
Summary: Runs Ansible playbooks: one static executable, no Python at either end
License: MIT OR Apache-2.0
Requires-Python: >=3.6
Provides-Extra: ansible
Requires-Dist: ansible-core >=2.16,<2.22; extra == "ansible"
Description-Content-Type: text/markdown

''' % version
with open('README.md', encoding='utf-8') as file:
    metadata += file.read()
wheel = 'Wheel-Version: 1.0\nGenerator: rplay\nRoot-Is-Purelib: false\n' + ''.join('Tag: %s\n' % tag for tag in tags)
with open(rplay, 'rb') as file:
    executable = file.read()
files = [
    ('rplay-%s.data/scripts/rplay' % version, executable, 0o755),
    (info + '/METADATA', metadata.encode(), 0o644),
    (info + '/WHEEL', wheel.encode(), 0o644),
]
record = ''
for name, content, _ in files:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()
    record += '%s,sha256=%s,%d\n' % (name, digest, len(content))
record += '%s/RECORD,,\n' % info
files.append((info + '/RECORD', record.encode(), 0o644))

platforms = '.'.join(tag.split('-', 2)[2] for tag in tags)
path = os.path.join(directory, 'rplay-%s-py3-none-%s.whl' % (version, platforms))
with zipfile.ZipFile(path + '.new', 'w', zipfile.ZIP_DEFLATED) as archive:
    for name, content, mode in files:
        entry = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
        entry.external_attr = (0o100000 | mode) << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, content)
os.replace(path + '.new', path)
