//! The interface to files by name: the part of [`std::fs`] that modules may use. It costs nothing, and is the single
//! place to replace a host's files in tests.
//!
//! Everything else goes through [`crate::system::regular`], which never blocks on a FIFO or reads an endless device, or
//! through [`crate::system::place`], which replaces files atomically.

/// For tests: `no_module_opens_files_by_itself` keeps modules from these.
pub use std::fs::{copy, read, read_to_string};
pub use std::{
    fs::{
        DirBuilder, DirEntry, File, Metadata, OpenOptions, Permissions, TryLockError, canonicalize, create_dir,
        create_dir_all, hard_link, metadata, read_dir, read_link, remove_dir, remove_dir_all, remove_file, rename,
        set_permissions, symlink_metadata, write,
    },
    os::unix::fs::{fchown, symlink},
};
