//! Keys of results whose values differ from run to run; tests replace the values by a word.

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
