//! The desired state of packages, where a manager has no further ones.

use crate::choice;

choice! {
    /// Whether packages should be there.
    pub enum State {
        Present = "present" | "installed",
        Absent = "absent" | "removed",
        Latest = "latest",
    }
}
