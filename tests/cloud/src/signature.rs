//! Whether a request is signed as TC3-HMAC-SHA256 wants it, from what came over the wire alone.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::{Settings, error, http::Request};

/// The service that the request is signed for.
pub(crate) fn check(request: &Request, settings: &Settings) -> Result<String, (String, String)> {
    let authorization = request.header("authorization").unwrap_or_default();
    let Some(parts) = authorization.strip_prefix("TC3-HMAC-SHA256 ") else {
        return error("AuthFailure.SignatureFailure", "there is no TC3-HMAC-SHA256 in Authorization");
    };
    let part =
        |name: &str| parts.split(", ").find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
    let credential: Vec<&str> = part("Credential").split('/').collect();
    let [id, date, service, "tc3_request"] = credential[..] else {
        return error("AuthFailure.InvalidAuthorization", "Credential has not four parts");
    };
    if id != settings.secret_id {
        return error("AuthFailure.SecretIdNotFound", "The SecretId is not found");
    }
    if request.header("x-tc-token") != settings.token.as_deref() {
        return error("AuthFailure.TokenFailure", "The token is not the one of this key");
    }
    let timestamp = request.header("x-tc-timestamp").unwrap_or_default();
    let sent: u64 = timestamp.parse().unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    if sent.abs_diff(now) > 300 {
        return error("AuthFailure.SignatureExpire", "Signature expired");
    }
    let names = part("SignedHeaders");
    if !["content-type", "host"].iter().all(|wanted| names.split(';').any(|name| name == *wanted)) {
        return error("AuthFailure.SignatureFailure", "content-type and host must be signed");
    }
    let mut canonical = format!("{}\n/\n{}\n", request.method, request.query);
    for name in names.split(';') {
        let value = request.header(name).unwrap_or_default().to_lowercase();
        canonical += &format!("{name}:{value}\n");
    }
    canonical += &format!("\n{names}\n{}", digest(&request.body));
    let scope = format!("{date}/{service}/tc3_request");
    let text = format!("TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{}", digest(canonical.as_bytes()));
    let date_key = keyed(format!("TC3{}", settings.secret_key).as_bytes(), date);
    let signing_key = keyed(&keyed(&date_key, service), "tc3_request");
    if date != date_of(sent) || hex(&keyed(&signing_key, &text)) != part("Signature") {
        let message = "The provided credentials could not be validated because of exceeding request size limit or wrong signature";
        return error("AuthFailure.SignatureFailure", message);
    }
    Ok(service.to_owned())
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length will do");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The day in UTC, counted up from 1970.
fn date_of(seconds: u64) -> String {
    let (mut day, mut year) = (seconds / 86_400, 1970);
    let is_leap = |year: u64| (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", day + 1)
}

#[cfg(test)]
mod tests {
    use super::date_of;

    #[test]
    fn days_are_counted() {
        assert_eq!(date_of(0), "1970-01-01");
        assert_eq!(date_of(951_782_400), "2000-02-29");
        assert_eq!(date_of(1_551_113_065), "2019-02-25");
        assert_eq!(date_of(1_767_225_599), "2025-12-31");
    }
}
