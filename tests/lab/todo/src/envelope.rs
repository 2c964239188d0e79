//! The shape of every answer: `{"status", "data", "msg", "error"}`, in that order.

use serde::Serialize;

pub struct Answer {
    pub code: u16,
    pub body: String,
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    status: u16,
    data: T,
    msg: &'a str,
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    track_id: Option<&'a str>,
}

#[derive(Serialize)]
struct List<T> {
    item: T,
    total: u64,
}

pub fn done(data: impl Serialize) -> Answer {
    Answer { code: 200, body: text(200, data, "操作成功", "", None) }
}

pub fn done_list(item: impl Serialize, total: u64) -> Answer {
    Answer { code: 200, body: text(200, List { item, total }, "ok", "", None) }
}

/// What the caller sent is wrong.
pub fn wrong(error: &str) -> Answer {
    Answer { code: 400, body: text(400, "参数错误", "请求参数错误", error, Some("")) }
}

/// The service could not do it. The real one words it the same way and changes the code only.
pub fn failed(error: &str) -> Answer {
    Answer { code: 500, ..wrong(error) }
}

/// No token, or one that is not believed.
pub fn refused(status: u16, msg: &str, data: &str) -> Answer {
    Answer { code: 400, body: text(status, data, msg, msg, None) }
}

fn text(status: u16, data: impl Serialize, msg: &str, error: &str, track_id: Option<&str>) -> String {
    serde_json::to_string(&Envelope { status, data, msg, error, track_id }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_look_as_the_real_ones() {
        assert_eq!(done("x").body, r#"{"status":200,"data":"x","msg":"操作成功","error":""}"#);
        assert_eq!(
            done_list([1, 2], 2).body,
            r#"{"status":200,"data":{"item":[1,2],"total":2},"msg":"ok","error":""}"#
        );
        let taken = failed("用户已存在");
        assert_eq!(taken.code, 500);
        assert!(taken.body.contains(r#""error":"用户已存在""#));
    }
}
