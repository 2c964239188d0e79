//! Tencent Cloud: the module that makes calls of its API.

mod api;

pub(crate) use api::TencentcloudApi;
