//! Keys of results whose values no two runs have in common; tests put a word in their place.

pub(crate) const VARYING: [&str; 14] = [
    "start",
    "end",
    "delta",
    "elapsed",
    "atime",
    "mtime",
    "ctime",
    "birthtime",
    "inode",
    "dev",
    "blocks",
    "block_size",
    "attr_flags",
    "attributes",
];
