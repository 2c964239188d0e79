//! POSIX access control lists in the kernel's format, an extended attribute (`struct posix_acl_xattr_entry` of
//! linux/posix_acl_xattr.h).

use std::ffi::CStr;

/// The attribute of the access ACL.
pub const ACCESS: &CStr = c"system.posix_acl_access";

const VERSION: u32 = 2;
const USER_OBJ: u16 = 0x01;
const GROUP_OBJ: u16 = 0x04;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// An access control list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    tag: u16,
    /// rwx as the bits 4, 2 and 1.
    rights: u16,
    /// The user or group ID, for named entries.
    id: u32,
}

impl Acl {
    /// Parses the attribute's value; `None` for an unknown version.
    pub fn read(bytes: &[u8]) -> Option<Acl> {
        let (version, entries) = bytes.split_first_chunk::<4>()?;
        if u32::from_le_bytes(*version) != VERSION || entries.len() % 8 != 0 {
            return None;
        }
        let entry = |bytes: &[u8]| {
            let (tag, rest) = bytes.split_first_chunk::<2>()?;
            let (rights, rest) = rest.split_first_chunk::<2>()?;
            Some(Entry {
                tag: u16::from_le_bytes(*tag),
                rights: u16::from_le_bytes(*rights),
                id: u32::from_le_bytes(*rest.first_chunk::<4>()?),
            })
        };
        entries.chunks_exact(8).map(entry).collect::<Option<Vec<_>>>().map(Acl)
    }

    /// The attribute's value.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        for Entry { tag, rights, id } in &self.0 {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(rights.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    /// The list after chmod(2) with these permission bits: the group bits set the mask if there is one. The owning
    /// group keeps at most the permissions in `group` (bits 4, 2 and 1).
    pub fn with_mode(&self, mode: u32, group: u32) -> Acl {
        let has_mask = self.0.iter().any(|entry| entry.tag == MASK);
        let bits = |shift: u32| (mode >> shift & 7) as u16;
        let rights = |entry: &Entry| match entry.tag {
            USER_OBJ => bits(6),
            MASK => bits(3),
            GROUP_OBJ if has_mask => entry.rights & group as u16,
            GROUP_OBJ => bits(3) & group as u16,
            OTHER => bits(0),
            _ => entry.rights,
        };
        Acl(self.0.iter().map(|entry| Entry { rights: rights(entry), ..entry.clone() }).collect())
    }

    /// The permissions of the owning group, as bits 4, 2 and 1.
    pub fn group_rights(&self) -> u32 {
        let of = |tag: u16| self.0.iter().find(|entry| entry.tag == tag).map(|entry| u32::from(entry.rights));
        of(GROUP_OBJ).unwrap_or_default() & of(MASK).unwrap_or(7)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// u::rw-, u:1:rw-, g::r--, m::rw-, o::---
    const BYTES: &[u8] = &[
        2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 6, 0, 1, 0, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 6,
        0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
    ];

    #[test]
    fn the_mode_moves_the_mask_and_not_the_group() {
        let acl = Acl::read(BYTES).unwrap();
        assert_eq!(acl.bytes(), BYTES);
        assert_eq!(acl.with_mode(0o660, 7), acl);
        assert_eq!(acl.group_rights(), 4);
        let narrow = acl.with_mode(0o600, 7);
        assert_eq!((narrow.group_rights(), narrow.0[1].rights, narrow.0[3].rights), (0, 6, 0));
        assert_eq!(acl.with_mode(0o660, 0).group_rights(), 0);
        assert!(Acl::read(&BYTES[..7]).is_none() && Acl::read(&[1, 0, 0, 0]).is_none());
    }
}
