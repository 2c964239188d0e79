//! The door to files by their names: what a module may use of [`std::fs`]. Zero cost, and the one place to stand in
//! for a host's files.
//!
//! What is not here goes through [`crate::system::regular`], which does not wait for a FIFO or read a device without
//! end, or through [`crate::system::place`], which replaces a file in one step.

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
