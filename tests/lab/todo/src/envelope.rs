//! The shape of every answer: `{"status", "data", "msg", "error"}`.

use serde_json::{Value, json};

pub struct Answer {
    pub code: u16,
    pub body: Value,
}

pub fn done(data: impl Into<Value>) -> Answer {
    Answer { code: 200, body: json!({ "status": 200, "data": data.into(), "msg": "操作成功", "error": "" }) }
}

pub fn done_list(items: Value, total: u64) -> Answer {
    let data = json!({ "item": items, "total": total });
    Answer { code: 200, body: json!({ "status": 200, "data": data, "msg": "ok", "error": "" }) }
}

/// What the caller sent is wrong.
pub fn wrong(error: &str) -> Answer {
    Answer { code: 400, body: parameters(error) }
}

/// The service could not do it. The real one words it the same way and changes the code only.
pub fn failed(error: &str) -> Answer {
    Answer { code: 500, body: parameters(error) }
}

/// No token, or one that is not believed.
pub fn refused(status: u16, msg: &str, data: &str) -> Answer {
    Answer { code: 400, body: json!({ "status": status, "data": data, "msg": msg, "error": msg }) }
}

fn parameters(error: &str) -> Value {
    json!({ "status": 400, "data": "参数错误", "msg": "请求参数错误", "error": error, "track_id": "" })
}
