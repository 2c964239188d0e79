//! The archive of a collection as it is sent to a server.

/// An archive on its way to a server.
pub(super) struct Upload {
    pub file: String,
    pub sha256: String,
    pub content: Vec<u8>,
}

impl Upload {
    /// The body of a request, and its content type.
    pub(super) fn form(&self) -> (Vec<u8>, String) {
        // The digest cannot occur in what it is the digest of.
        let boundary = format!("rplay-{}", self.sha256);
        let head = |about: &str| format!("--{boundary}\r\nContent-Disposition: form-data; {about}\r\n");
        let name: String = self.file.chars().filter(|c| !matches!(c, '"' | '\r' | '\n')).collect();
        let mut body = format!("{}\r\n{}\r\n", head("name=\"sha256\""), self.sha256).into_bytes();
        body.extend(head(&format!("name=\"file\"; filename=\"{name}\"")).into_bytes());
        body.extend(b"Content-Type: application/octet-stream\r\n\r\n");
        body.extend(&self.content);
        body.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
        (body, format!("multipart/form-data; boundary={boundary}"))
    }
}
