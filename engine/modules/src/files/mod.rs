//! Modules for files, directories and their content.

pub(crate) mod acl;
pub(crate) mod archive;
pub mod assemble;
pub(crate) mod blockinfile;
pub(crate) mod capabilities;
pub mod copy;
pub(crate) mod edited;
pub mod fetch;
pub(crate) mod file;
pub(crate) mod find;
pub(crate) mod git;
pub(crate) mod git_config;
pub(crate) mod ini_file;
pub(crate) mod lineinfile;
pub(crate) mod link;
pub(crate) mod patch;
pub(crate) mod replace;
pub(crate) mod slurp;
pub(crate) mod stat;
pub(crate) mod subversion;
pub(crate) mod synchronize;
pub(crate) mod tempfile;
pub mod unarchive;
