//! Passwords of the host, and their aging.

/// A line of /etc/shadow (shadow(5)); only root can read it.
#[derive(Debug, Default)]
pub struct Shadow {
    pub hash: String,
    pub min: Option<i64>,
    pub max: Option<i64>,
    pub warn: Option<i64>,
    pub inactive: Option<i64>,
    /// Days since 1970.
    pub expires: Option<i64>,
}

impl Shadow {
    pub fn of(user: &str) -> Option<Shadow> {
        let text = crate::system::regular::read_to_string("/etc/shadow").ok()?;
        text.lines().find(|line| line.split(':').next() == Some(user)).map(Shadow::read)
    }

    fn read(line: &str) -> Shadow {
        let fields: Vec<&str> = line.split(':').collect();
        let number = |at: usize| fields.get(at).and_then(|field| field.parse().ok());
        Shadow {
            hash: fields.get(1).copied().unwrap_or_default().to_owned(),
            min: number(3),
            max: number(4),
            warn: number(5),
            inactive: number(6),
            expires: number(7),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let shadow = Shadow::read("me:$6$x:19000:0:99999:7::20000:");
        assert_eq!(
            (shadow.min, shadow.max, shadow.inactive, shadow.expires),
            (Some(0), Some(99999), None, Some(20000))
        );
    }
}
