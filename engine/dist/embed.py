"""Embeds the agents into rplay: embed.py unwind|abort RPLAY FULL LEAN RESULT

The result is RPLAY, then FULL in the formats of xz and of gzip, then LEAN in that of gzip, then 512 bytes of text: what
engine/core/link/executable.rs reads. Hosts without xz get gzip's form of FULL, which is a third larger. LEAN, which every
host gets, has none of xz: unpacking that would take longer than everything else of the first contact.

The first word is what panics do in the agents. Where they abort, nothing reads the tables for unwinding; they are filled
with zeros, which take no space when they are packed.
"""

import gzip
import hashlib
import lzma
import os
import re
import struct
import sys

panics, *paths, result_path = sys.argv[1:]
whole, full, lean = [open(path, 'rb').read() for path in paths]

# What a host should receive at most when it gets an agent.
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




def build_of(executable, kind):
    found = re.search(b'rplay-%s-build:([0-9a-f]{64})' % kind, executable)
    return found and found.group(1).decode()


builds = {build_of(whole, b'agent'), build_of(full, b'agent'), build_of(lean, b'lean-agent')}
if len(builds) != 1 or None in builds:
    sys.exit('these are not of the same build: %s' % ' '.join(paths))

if panics == 'abort':
    full, lean = without_unwinding(full), without_unwinding(lean)


def xz(agent):
    # The first filter makes the targets of jumps alike; byte 18 of an ELF file names the processor, here x86-64. Its
    # instructions are not aligned, and what a byte is follows from the whole byte before it: pb and lc. In code, long
    # matches are rare: BT3 and a smaller nice_len find the better ones.
    filters = [{'id': lzma.FILTER_X86}] if agent[18] == 0x3e else []
    packer = {'id': lzma.FILTER_LZMA2, 'preset': 9 | lzma.PRESET_EXTREME, 'dict_size': 1 << 23}
    packer |= {'mf': lzma.MF_BT2, 'nice_len': 120}
    filters.append(packer | {'lc': 4, 'pb': 1} if filters else packer)
    return lzma.compress(agent, lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=filters)


parts = [xz(full), gzip.compress(full, 9, mtime=0), gzip.compress(lean, 9, mtime=0)]
for sent, name in (parts[0], 'full'), (parts[2], 'lean'):
    if panics == 'abort' and lean[18] == 0x3e and len(sent) > MOST:
        print('note: the %s agent has become larger than %d bytes: %d are sent' % (name, MOST, len(sent)), file=sys.stderr)
words = ['rplay-embedded-agents 3', 'rplay-agent-build:' + builds.pop()]
for agent, lengths in (full, (len(parts[0]), len(parts[1]))), (lean, (0, len(parts[2]))):
    words += [hashlib.sha256(agent).hexdigest(), len(agent), *lengths]
new = result_path + '.new'
with open(new, 'wb') as file:
    file.write(b''.join([whole, *parts, ' '.join(map(str, words)).encode().ljust(512)]))
os.chmod(new, 0o755)
os.replace(new, result_path)
