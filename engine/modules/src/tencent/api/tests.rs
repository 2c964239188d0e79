use std::sync::atomic::{AtomicUsize, Ordering};

use rplay_wire::{Map, Outcome};

use crate::{
    runner::tests::{call, checked},
    stand_in::{Seen, Server, response},
    wire::data,
};

const MODULE: &str = "tencentcloud_api";

/// The arguments of a call to that server, overridden by these.
fn args(server: &Server, more: Map) -> Map {
    let mut args = data! {
        "service" => "cvm", "action" => "DescribeInstances", "region" => "ap-guangzhou",
        "secret_id" => "AKIDexample", "secret_key" => "hush-hush", "endpoint" => server.url.as_str(), "backoff" => 0.01,
    };
    args.extend(more);
    args
}

fn refused(code: &str) -> String {
    let error = format!(r#"{{"Response":{{"Error":{{"Code":"{code}","Message":"no"}},"RequestId":"r-1"}}}}"#);
    response("200 OK", "", &error)
}

fn fine() -> String {
    response("200 OK", "", r#"{"Response":{"InstanceSet":[],"TotalCount":0,"RequestId":"r-2"}}"#)
}

fn server(answer: impl Fn(usize, &Seen) -> String + Send + 'static) -> Server {
    let count = AtomicUsize::new(0);
    Server::start(move |seen| answer(count.fetch_add(1, Ordering::SeqCst), seen))
}

fn requests(server: &Server) -> usize {
    server.seen.lock().len()
}

fn msg(outcome: Outcome) -> String {
    outcome.failure.expect("it fails").msg
}

#[test]
fn a_call_is_signed_and_its_answer_returned() {
    let server = server(|_, _| fine());
    let payload = data! { "payload" => data! { "Limit" => 1, "Offset" => "0" }, "token" => "temporary" };
    let outcome = checked(MODULE, args(&server, payload));
    assert!(outcome.failure.is_none() && !outcome.changed, "{outcome:?}");
    assert_eq!(outcome.data["request_id"], "r-2".into());
    let seen = server.last();
    assert_eq!(seen.body, r#"{"Limit":1,"Offset":"0"}"#);
    for header in [
        "x-tc-action: describeinstances",
        "x-tc-version: 2017-03-12",
        "x-tc-region: ap-guangzhou",
        "x-tc-token: temporary",
        "signedheaders=content-type;host;x-tc-action",
        "/cvm/tc3_request",
    ] {
        assert!(seen.headers.contains(header), "{header} is missing in {}", seen.headers);
    }
    assert!(!seen.headers.contains("hush-hush"));
}

#[test]
fn temporary_errors_are_retried_with_the_same_call() {
    let server = server(|count, _| match count {
        0 => refused("RequestLimitExceeded.UinLimitExceeded"),
        1 => refused("InternalError"),
        2 => refused("FailedOperation.ResourceInOperating"),
        3 => String::new(),
        _ => fine(),
    });
    let more = data! { "action" => "RunInstances", "changes" => true, "client_token" => true };
    let outcome = call(MODULE, args(&server, more));
    assert!(outcome.changed && outcome.failure.is_none(), "{outcome:?}");
    let seen = server.seen.lock();
    let token = seen[0].body.clone();
    assert!(token.contains("ClientToken") && seen.len() == 5);
    assert!(seen.iter().all(|request| request.body == token));
}

#[test]
fn a_permanent_error_is_reported_at_once() {
    for code in ["AuthFailure.SignatureFailure", "UnauthorizedOperation", "InvalidParameterValue", "LimitExceeded"] {
        let server = server(move |_, _| refused(code));
        let outcome = call(MODULE, args(&server, data! { "changes" => true }));
        assert!(!outcome.changed);
        assert_eq!(outcome.data["code"], code.into());
        assert_eq!(msg(outcome), format!("DescribeInstances: {code}: no (request r-1)"));
        assert_eq!(requests(&server), 1);
    }
}

#[test]
fn retries_end() {
    let server = server(|_, _| refused("RequestLimitExceeded"));
    let outcome = call(MODULE, args(&server, data! { "retries" => 2 }));
    assert!(msg(outcome).contains("RequestLimitExceeded"));
    assert_eq!(requests(&server), 3);
}

#[test]
fn calls_that_create_something_are_not_repeated_without_an_answer() {
    let server = server(|_, _| String::new());
    let more = || data! { "service" => "vpc", "action" => "CreateVpc", "changes" => true };
    let failure = call(MODULE, args(&server, more())).failure.unwrap();
    assert!(failure.help.unwrap().contains("may have been executed") && requests(&server) == 1);
    let mut token = more();
    token.insert("client_token".into(), true.into());
    token.insert("retries".into(), 1.into());
    assert!(call(MODULE, args(&server, token)).failure.is_some());
    assert_eq!(requests(&server), 3);
}

#[test]
fn check_mode_sends_no_change_but_a_dry_run() {
    let server = server(|count, _| if count == 0 { refused("DryRunOperation") } else { refused("InvalidZone") });
    let more = data! { "action" => "RunInstances", "changes" => true };
    assert!(checked(MODULE, args(&server, more.clone())).changed);
    assert_eq!(requests(&server), 0);
    let mut dry = more;
    dry.insert("dry_run".into(), true.into());
    let outcome = checked(MODULE, args(&server, dry.clone()));
    assert!(outcome.changed && outcome.failure.is_none(), "{outcome:?}");
    assert_eq!(server.last().body, r#"{"DryRun":true}"#);
    assert!(msg(checked(MODULE, args(&server, dry))).contains("InvalidZone"));
}

#[test]
fn expected_errors_are_no_failure_and_no_change() {
    let server = server(|_, _| refused("ResourceNotFound.VpcId"));
    let more = data! { "changes" => true, "absent_codes" => vec!["ResourceNotFound"] };
    let outcome = call(MODULE, args(&server, more));
    assert!(outcome.failure.is_none() && !outcome.changed);
    assert_eq!((&outcome.data["absent"], &outcome.data["code"]), (&true.into(), &"ResourceNotFound.VpcId".into()));
    let more = data! { "ok_codes" => vec!["ResourceNotFoundAtAll"] };
    assert!(call(MODULE, args(&server, more)).failure.is_some());
}

#[test]
fn bad_arguments_are_refused_before_any_call() {
    let server = server(|_, _| fine());
    for (more, said) in [
        (data! { "secret_key" => "" }, "`secret_key` is empty"),
        (data! { "service" => "cbs" }, "`version` is required for `cbs`"),
        (data! { "endpoint" => "http://example.org" }, "must begin with https://"),
        (data! { "action" => "Describe Instances" }, "must consist of letters"),
        (data! { "client_token" => true }, "applies only to calls that change something"),
    ] {
        let msg = msg(call(MODULE, args(&server, more)));
        assert!(msg.contains(said), "{msg}");
    }
    assert_eq!(requests(&server), 0);
}
