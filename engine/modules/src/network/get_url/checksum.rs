//! The argument `checksum` of `get_url`: a digest, or the URL of a list of digests.

use std::{path::Path, time::Instant};

use rplay_wire::{Failure, data};

use super::{GetUrl, refused, unreachable};
use crate::{
    ArgError, Host,
    io_failure::io_failure,
    system::{digest::Hashlib, http::Address, paths},
};

const FORMAT: &str = "The checksum parameter has to be in format <algorithm>:<checksum>";

/// The parts of `algorithm:what`.
pub(super) fn wanted(checksum: &str) -> Result<(&str, &str), ArgError> {
    let help = "write it as `sha256:` and the digest, or `sha256:` and the URL of a list of digests";
    let refused = |msg: String| ArgError::new("checksum", msg).help(help);
    let (algorithm, what) = checksum.split_once(':').ok_or_else(|| refused(FORMAT.to_owned()))?;
    let what = what.trim();
    let digits = digits(what);
    if !what.contains("://") && (digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Err(refused("The checksum format is invalid".to_owned()));
    }
    Ok((algorithm, what))
}

/// A digest as it was pasted, without the punctuation around it.
fn digits(digest: &str) -> String {
    digest.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect::<String>().to_ascii_lowercase()
}

/// The algorithm and the digest that the file must have; a list of digests is fetched.
pub(super) fn wanted_digest(checksum: &str, module: &GetUrl, host: &Host) -> Result<(String, String), Failure> {
    let (algorithm, what) = wanted(checksum).map_err(|error| Failure::new(error.msg).arg("checksum"))?;
    if !what.contains("://") {
        return Ok((algorithm.to_owned(), digits(what)));
    }
    let mut request = module.web.request(host, module.timeout, module.url_username.as_ref(), None);
    request.reads_files = true;
    what.clone_into(&mut request.url);
    let about = |msg: String| Failure::new(msg).arg("checksum");
    let begun = Instant::now();
    let response = request.send(host);
    let elapsed = begun.elapsed().as_secs();
    // Failures for the list have the same fields as those for the file.
    let told = data! { "url" => what, "dest" => paths::text(paths::real(&module.dest.on(host))), "elapsed" => elapsed };
    let mut response = response.map_err(|error| unreachable(&error, elapsed).data(told.clone()))?;
    if response.status != 200 {
        return Err(refused(&response).data(told));
    }
    let list = String::from_utf8_lossy(&response.content()?).into_owned();
    let url = module.web.url.as_str();
    let of_file = || url.strip_prefix("file:")?.rsplit('/').next().map(str::to_owned);
    let name = Address::parse(url)
        .ok()
        .and_then(|address| address.last_segment().map(str::to_owned))
        .or_else(of_file)
        .unwrap_or_default();
    match digest_in(&list, &name) {
        Some(hex) => Ok((algorithm.to_owned(), hex)),
        None => Err(about(format!("Unable to find a checksum for file '{name}' in '{}'", response.url))),
    }
}

/// The digest of `name` in a list such as that of `sha256sum`; a single digest matches any name.
fn digest_in(list: &str, name: &str) -> Option<String> {
    let lines = list.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>();
    if let [line] = lines.as_slice()
        && !line.contains(char::is_whitespace)
    {
        return Some(digits(line)).filter(|digest| !digest.is_empty());
    }
    lines.iter().find_map(|line| {
        // BSD's format: `SHA256 (name) = digest`.
        let (digest, file) = match line.rsplit_once(" = ") {
            Some((about, digest)) => (digest, about.split_once('(')?.1.strip_suffix(')')?),
            None => line.split_once(char::is_whitespace)?,
        };
        let file = file.trim().trim_start_matches('*');
        (file.strip_prefix("./").unwrap_or(file) == name).then(|| digits(digest))
    })
}

/// The digest of a file by an algorithm of hashlib.
pub(super) fn hashed(path: &Path, algorithm: &str) -> Result<String, Failure> {
    match Hashlib::named(algorithm) {
        Some(hash) => hash.of_file(path).map_err(|error| io_failure("read", path, &error)),
        None => Err(Failure::new(format!(
            "Could not hash file '{}' with algorithm '{algorithm}'. Available algorithms: {}",
            path.display(),
            Hashlib::NAMES.join(", ")
        ))
        .arg("checksum")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_digests() {
        let digest = "a".repeat(40);
        assert_eq!(digest_in(&format!("{digest}\n"), "any"), Some(digest.clone()));
        assert_eq!(digest_in(&format!("{digest} *f\n{digest} g\n"), "f"), Some(digest.clone()));
        assert_eq!(digest_in(&format!("SHA1 (f) = {digest}\nSHA1 (g) = b\n"), "f"), Some(digest.clone()));
        assert_eq!(digest_in(&format!("{digest} f\n{digest} g"), "h"), None);
        // Pasted with punctuation, from the directory itself, alone.
        assert_eq!(digest_in(&format!("{digest}.  ./f\n{digest} g"), "f"), Some(digest.clone()));
        assert_eq!(digest_in(&format!("{digest}."), "f"), Some(digest.clone()));
    }
}
