//! Tencent Cloud: the module that makes calls of its API.

mod api;

pub use api::TencentcloudApi;
