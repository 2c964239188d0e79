"""Embeds the agent into rplay: embed.py RPLAY AGENT RESULT

The result is RPLAY, then AGENT in the formats of xz and of gzip, then 512 bytes of text: what
engine/core/link/executable.rs reads. Hosts without xz get gzip's, which is a third larger.
"""

import gzip
import hashlib
import lzma
import os
import re
import sys

whole_path, agent_path, result_path = sys.argv[1:]
with open(whole_path, 'rb') as file:
    whole = file.read()
with open(agent_path, 'rb') as file:
    agent = file.read()

BUILD = re.compile(rb'rplay-agent-build:[0-9a-f]{64}')
builds = [BUILD.search(content) for content in (whole, agent)]
if None in builds or builds[0].group() != builds[1].group():
    sys.exit('%s and %s are not of the same build' % (whole_path, agent_path))

# The first filter makes the targets of jumps alike; byte 18 of an ELF file names the processor, here x86-64.
filters = [{'id': lzma.FILTER_X86}] if agent[18] == 0x3e else []
filters.append({'id': lzma.FILTER_LZMA2, 'preset': 9 | lzma.PRESET_EXTREME, 'dict_size': 1 << 23})
xz = lzma.compress(agent, lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=filters)
packed = gzip.compress(agent, 9, mtime=0)
digest = hashlib.sha256(agent).hexdigest()
text = 'rplay-embedded-agent 2 %s %d %d %d %s' % (digest, len(agent), len(xz), len(packed), builds[0].group().decode())
new = result_path + '.new'
with open(new, 'wb') as file:
    file.write(whole + xz + packed + text.encode().ljust(512))
os.chmod(new, 0o755)
os.replace(new, result_path)
