"""Embeds the agent into rplay: embed.py unwind|abort RPLAY AGENT RESULT

The result is RPLAY, then AGENT in the formats of xz and of gzip, then 512 bytes of text: what
engine/core/link/executable.rs reads. Hosts without xz get gzip's, which is a third larger.

The first word is what panics do in the agent. Where they abort, nothing reads the tables for unwinding; they are filled
with zeros, which take no space when they are packed.
"""

import gzip
import hashlib
import lzma
import os
import re
import struct
import sys

panics, whole_path, agent_path, result_path = sys.argv[1:]
with open(whole_path, 'rb') as file:
    whole = file.read()
with open(agent_path, 'rb') as file:
    agent = file.read()

# What a host that has no agent yet should receive at most.
MOST = 2_000_000

UNWINDING = (b'.eh_frame', b'.eh_frame_hdr', b'.gcc_except_table')


def without_unwinding(agent):
    """An ELF file of 64 bits, little-endian, with zeros in the tables for unwinding."""
    content = bytearray(agent)
    (start,) = struct.unpack_from('<Q', content, 0x28)
    size, count, names = struct.unpack_from('<HHH', content, 0x3a)
    # Of each section: name, type, flags, address, place in the file, length.
    sections = [struct.unpack_from('<IIQQQQ', content, start + number * size) for number in range(count)]
    for section in sections:
        name = content[sections[names][4] + section[0]:].split(b'\0', 1)[0]
        if bytes(name) in UNWINDING:
            content[section[4]:section[4] + section[5]] = bytes(section[5])
    return bytes(content)


BUILD = re.compile(rb'rplay-agent-build:[0-9a-f]{64}')
builds = [BUILD.search(content) for content in (whole, agent)]
if None in builds or builds[0].group() != builds[1].group():
    sys.exit('%s and %s are not of the same build' % (whole_path, agent_path))

if panics == 'abort':
    agent = without_unwinding(agent)

# The first filter makes the targets of jumps alike; byte 18 of an ELF file names the processor, here x86-64. Its
# instructions are not aligned, and what a byte is follows from the whole byte before it: pb and lc.
filters = [{'id': lzma.FILTER_X86}] if agent[18] == 0x3e else []
packer = {'id': lzma.FILTER_LZMA2, 'preset': 9 | lzma.PRESET_EXTREME, 'dict_size': 1 << 23}
filters.append(packer | {'lc': 4, 'pb': 1} if filters else packer)
xz = lzma.compress(agent, lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=filters)
packed = gzip.compress(agent, 9, mtime=0)
if panics == 'abort' and filters[:-1] and len(xz) > MOST:
    print('note: the agent has become larger than %d bytes: %d are sent to each new host' % (MOST, len(xz)), file=sys.stderr)
digest = hashlib.sha256(agent).hexdigest()
text = 'rplay-embedded-agent 2 %s %d %d %d %s' % (digest, len(agent), len(xz), len(packed), builds[0].group().decode())
new = result_path + '.new'
with open(new, 'wb') as file:
    file.write(whole + xz + packed + text.encode().ljust(512))
os.chmod(new, 0o755)
os.replace(new, result_path)
