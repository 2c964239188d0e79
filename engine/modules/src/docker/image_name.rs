//! Image names: registry, repository and tag.

use rplay_wire::hex;

/// `registry.example:5000/team/todo:v2`, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ImageName {
    /// `registry.example:5000`; `None` is Docker's own registry.
    pub registry: Option<String>,
    /// Registry and path as written: `registry.example:5000/team/todo`.
    pub repository: String,
    /// `v2`, or a digest `sha256:...`; `latest` by default.
    pub tag: String,
}

impl ImageName {
    /// Parses a name. A separate `tag` is used only if the name has none. `None` for an image ID, which cannot be
    /// pulled.
    pub(super) fn parse(name: &str, tag: Option<&str>) -> Option<ImageName> {
        if is_id(name) {
            return None;
        }
        let (repository, own) = match name.split_once('@') {
            Some((repository, digest)) => (repository, Some(digest)),
            // A colon before the last slash belongs to the registry's port.
            None => match name.rsplit_once(':') {
                Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
                _ => (name, None),
            },
        };
        let registry = repository
            .split_once('/')
            .map(|(first, _)| first)
            .filter(|first| first.contains(['.', ':']) || *first == "localhost")
            .filter(|first| !matches!(*first, "docker.io" | "index.docker.io"))
            .map(str::to_owned);
        let tag = own.or(tag.filter(|tag| !tag.is_empty())).unwrap_or("latest").to_owned();
        Some(ImageName { registry, repository: repository.to_owned(), tag })
    }

    pub(super) fn is_digest(&self) -> bool {
        self.tag.contains(':')
    }
}

impl std::fmt::Display for ImageName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}{}", self.repository, if self.is_digest() { '@' } else { ':' }, self.tag)
    }
}

/// Whether this is an image ID and not a name.
pub(super) fn is_id(name: &str) -> bool {
    name.strip_prefix("sha256:").is_some_and(|digits| digits.len() >= 12 && hex::is_hex(digits, digits.len()))
        || hex::is_sha256(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_apart_where_docker_takes_them_apart() {
        let parts = |name: &str| {
            let name = ImageName::parse(name, None).unwrap();
            (name.registry.clone(), name.repository.clone(), name.tag.clone(), name.to_string())
        };
        let owned = |r: Option<&str>, n: &str, t: &str, all: &str| {
            (r.map(str::to_owned), n.to_owned(), t.to_owned(), all.to_owned())
        };
        assert_eq!(parts("nginx"), owned(None, "nginx", "latest", "nginx:latest"));
        assert_eq!(parts("team/todo:v2"), owned(None, "team/todo", "v2", "team/todo:v2"));
        assert_eq!(
            parts("r.io:5000/todo"),
            owned(Some("r.io:5000"), "r.io:5000/todo", "latest", "r.io:5000/todo:latest")
        );
        assert_eq!(parts("localhost/t:1"), owned(Some("localhost"), "localhost/t", "1", "localhost/t:1"));
        assert_eq!(parts("docker.io/a/b"), owned(None, "docker.io/a/b", "latest", "docker.io/a/b:latest"));
        assert_eq!(parts("a@sha256:ff"), owned(None, "a", "sha256:ff", "a@sha256:ff"));
    }

    #[test]
    fn ids_are_no_names() {
        assert_eq!(ImageName::parse(&format!("sha256:{}", "a".repeat(64)), None), None);
        assert_eq!(ImageName::parse("todo", Some("v3")).unwrap().to_string(), "todo:v3");
        assert_eq!(ImageName::parse("todo:v2", Some("v3")).unwrap().to_string(), "todo:v2");
    }
}
