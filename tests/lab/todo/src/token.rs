//! JSON web tokens signed with HMAC-SHA256: what `login` hands out and every task route asks for.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    pub id: u64,
    pub user_name: String,
    pub exp: i64,
    pub iss: String,
}

#[derive(Debug, PartialEq)]
pub enum Refusal {
    Invalid,
    Expired,
}

pub fn sign(claims: &Claims, key: &str) -> String {
    let header = BASE64.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let body = BASE64.encode(serde_json::to_string(claims).unwrap_or_default());
    let signed = format!("{header}.{body}");
    let signature = mac(&signed, key).finalize().into_bytes();
    format!("{signed}.{}", BASE64.encode(signature))
}

/// The header is compared, not read: whoever sends a token must not choose how it is checked.
pub fn verify(token: &str, key: &str, now: i64) -> Result<Claims, Refusal> {
    let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Invalid)?;
    let (header, body) = signed.split_once('.').ok_or(Refusal::Invalid)?;
    let decode = |text: &str| BASE64.decode(text).map_err(|_| Refusal::Invalid);
    mac(signed, key).verify_slice(&decode(signature)?).map_err(|_| Refusal::Invalid)?;
    if decode(header)? != br#"{"alg":"HS256","typ":"JWT"}"# {
        return Err(Refusal::Invalid);
    }
    let claims: Claims = serde_json::from_slice(&decode(body)?).map_err(|_| Refusal::Invalid)?;
    if now > claims.exp { Err(Refusal::Expired) } else { Ok(claims) }
}

fn mac(text: &str, key: &str) -> Hmac<Sha256> {
    let mut mac = match <Hmac<Sha256> as Mac>::new_from_slice(key.as_bytes()) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC takes a key of any length"),
    };
    mac.update(text.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims { id: 3, user_name: "ann".into(), exp: 1000, iss: "to-do-list".into() }
    }

    #[test]
    fn a_token_holds_until_it_expires() {
        let token = sign(&claims(), "key");
        assert_eq!(verify(&token, "key", 1000), Ok(claims()));
        assert_eq!(verify(&token, "key", 1001), Err(Refusal::Expired));
    }

    #[test]
    fn another_key_or_a_changed_body_is_refused() {
        let token = sign(&claims(), "key");
        assert_eq!(verify(&token, "other", 0), Err(Refusal::Invalid));
        let parts: Vec<&str> = token.split('.').collect();
        let body = BASE64.encode(r#"{"id":1,"user_name":"root","exp":9999,"iss":"x"}"#);
        assert_eq!(verify(&format!("{}.{body}.{}", parts[0], parts[2]), "key", 0), Err(Refusal::Invalid));
        assert_eq!(verify("", "key", 0), Err(Refusal::Invalid));
        assert_eq!(verify("a.b", "key", 0), Err(Refusal::Invalid));
    }

    /// The vector of jwt.io, whose claims differ from ours: only its signature is checked here.
    #[test]
    fn signs_as_others_do() {
        let signed = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ";
        let signature = BASE64.encode(mac(signed, "your-256-bit-secret").finalize().into_bytes());
        assert_eq!(signature, "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c");
    }
}
