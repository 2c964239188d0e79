//! Request signing of Tencent Cloud's API 3.0: TC3-HMAC-SHA256.

use hmac::{Hmac, KeyInit, Mac};
use jiff::{Timestamp, tz::TimeZone};
use rplay_wire::hex;
use sha2::{Digest, Sha256};

use super::Account;

const ALGORITHM: &str = "TC3-HMAC-SHA256";

/// The signed parts of a request.
pub(crate) struct Signed<'r> {
    pub method: &'r str,
    /// Without the question mark.
    pub query: &'r str,
    /// Sorted, with names in lower case and values as sent.
    pub headers: &'r [(&'r str, &'r str)],
    pub body: &'r [u8],
}

impl Signed<'_> {
    /// The value of the header `Authorization`.
    pub(crate) fn authorization(&self, account: &Account, service: &str, at: Timestamp) -> String {
        let date = at.to_zoned_datetime(TimeZone::UTC).strftime("%Y-%m-%d").to_string();
        let scope = format!("{date}/{service}/tc3_request");
        let names = self.headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: String =
            self.headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim().to_lowercase())).collect();
        let request =
            [self.method, "/", self.query, &lines, &names, &hex::encode(Sha256::digest(self.body))].join("\n");
        let text = [ALGORITHM, &at.as_second().to_string(), &scope, &hex::encode(Sha256::digest(request))].join("\n");
        let first = format!("TC3{}", account.secret_key.0);
        let key =
            [date.as_str(), service, "tc3_request"].iter().fold(first.into_bytes(), |key, part| keyed(&key, part));
        let signature = hex::encode(keyed(&key, &text));
        format!("{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", account.secret_id.0)
    }
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    // HMAC accepts keys of any length, so this cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rplay_contract::argtypes::Secret;

    /// The body of the documentation's examples, including backslashes.
    const BODY: &str = r#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;
    const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
    const HOST: (&str, &str) = ("host", "cvm.tencentcloudapi.com");

    fn signature(id: &str, key: &str, signed: &Signed, at: i64) -> String {
        let account = Account { secret_id: Secret(id.to_owned()), secret_key: Secret(key.to_owned()), token: None };
        let all = signed.authorization(&account, "cvm", Timestamp::from_second(at).unwrap());
        assert!(all.starts_with(&format!("TC3-HMAC-SHA256 Credential={id}/")), "{all}");
        all.rsplit_once("Signature=").unwrap().1.to_owned()
    }

    #[test]
    fn the_body_is_the_documentations() {
        let wanted = "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064";
        assert_eq!(hex::encode(Sha256::digest(BODY)), wanted);
    }

    #[test]
    fn two_headers_are_signed() {
        let signed = Signed { method: "POST", query: "", headers: &[JSON, HOST], body: BODY.as_bytes() };
        let id = format!("AKIDz8krbsJ5yKBZQpn74WFkmLPx3{}", "*".repeat(7));
        let key = format!("Gu5t9xGARNpq86cd98joQYCN3{}", "*".repeat(7));
        assert_eq!(
            signature(&id, &key, &signed, 1_551_113_065),
            "2230eefd229f582d8b1b891af7107b91597240707d778ab3738f756258d7652c"
        );
    }

    #[test]
    fn the_action_is_signed_in_lower_case() {
        let action = ("x-tc-action", "DescribeInstances");
        let signed = Signed { method: "POST", query: "", headers: &[JSON, HOST, action], body: BODY.as_bytes() };
        let stars = "*".repeat(32);
        assert_eq!(
            signature(&format!("AKID{stars}"), &stars, &signed, 1_551_113_065),
            "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f"
        );
    }

    #[test]
    fn a_get_is_signed_with_its_query() {
        let form = ("content-type", "application/x-www-form-urlencoded");
        let signed = Signed { method: "GET", query: "Limit=10&Offset=0", headers: &[form, HOST], body: b"" };
        let id = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE";
        assert_eq!(
            signature(id, "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE", &signed, 1_539_084_154),
            "5da7a33f6993f0614b047e5df4582db9e9bf4672ba50567dba16c6ccf174c474"
        );
    }
}
