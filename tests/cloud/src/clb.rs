//! Balancers: every write takes a while, and only one at a time is done to a balancer.

use serde_json::{Value, json};

use crate::{
    Answer, Call, State, error,
    filter::{known, page, text, texts},
};

pub(crate) fn answer(state: &mut State, call: &Call, id: &str) -> Answer {
    let payload = call.payload;
    match call.action {
        "DescribeLoadBalancers" => {
            known(payload, &["Filters", "Offset", "Limit", "LoadBalancerIds", "LoadBalancerName"])?;
            page(payload, state.balancers.values(), "LoadBalancerSet", "Tags", false, |_| None)
        }
        "DescribeTaskStatus" => {
            known(payload, &["TaskId", "DealName"])?;
            match state.task(&text(payload, "TaskId")?) {
                Some((true, made)) => Ok(json!({ "Status": 0, "LoadBalancerIds": made, "Message": null })),
                Some((false, _)) => Ok(json!({ "Status": 2, "LoadBalancerIds": null, "Message": null })),
                None => error("InvalidParameter", "there is no such task"),
            }
        }
        "CreateLoadBalancer" => create(state, payload, id),
        "DeleteLoadBalancer" => {
            known(payload, &["LoadBalancerIds", "ForceDelete"])?;
            for balancer in texts(payload, "LoadBalancerIds") {
                free(state, &balancer)?;
                let gone = balancer.clone();
                state.later(id, Some(&balancer), Vec::new(), move |state| {
                    state.balancers.remove(&gone);
                    for listener in state.listeners.remove(&gone).unwrap_or_default() {
                        for rule in listener["Rules"].as_array().into_iter().flatten() {
                            state.targets.remove(rule["LocationId"].as_str().unwrap_or_default());
                        }
                    }
                });
            }
            Ok(json!({}))
        }
        "DescribeListeners" => {
            known(payload, &["LoadBalancerId", "ListenerIds", "Protocol", "Port"])?;
            let balancer = there(state, payload)?;
            let listeners = state.listeners.get(&balancer).cloned().unwrap_or_default();
            Ok(json!({ "TotalCount": listeners.len(), "Listeners": listeners }))
        }
        "CreateListener" => create_listener(state, payload, id),
        "CreateRule" => create_rule(state, payload, id),
        "ModifyRule" => modify_rule(state, payload, id),
        "DescribeTargets" => describe_targets(state, payload),
        "RegisterTargets" => register(state, payload, id),
        "ModifyTargetWeight" => modify_weight(state, payload, id),
        "DescribeTargetHealth" => {
            known(payload, &["LoadBalancerIds"])?;
            let balancers: Vec<Value> = texts(payload, "LoadBalancerIds")
                .iter()
                .map(|balancer| json!({ "LoadBalancerId": balancer, "Listeners": healths(state, balancer) }))
                .collect();
            Ok(json!({ "LoadBalancers": balancers }))
        }
        other => error("InvalidAction", format!("The request action={other} is invalid or not found.")),
    }
}

/// The balancer that the call names.
fn there(state: &State, payload: &Value) -> Result<String, (String, String)> {
    let id = text(payload, "LoadBalancerId")?;
    match state.balancers.contains_key(&id) {
        true => Ok(id),
        false => error("InvalidParameter.LBIdNotFound", format!("{id} not found")),
    }
}

/// Refuses to work on a balancer that is not there or is being worked on.
fn free(state: &State, balancer: &str) -> Result<(), (String, String)> {
    if !state.balancers.contains_key(balancer) {
        return error("InvalidParameter.LBIdNotFound", format!("{balancer} not found"));
    }
    match state.works_on(balancer) {
        true => error("FailedOperation.ResourceInOperating", format!("{balancer} is being worked on")),
        false => Ok(()),
    }
}

fn create(state: &mut State, payload: &Value, id: &str) -> Answer {
    known(
        payload,
        &[
            "LoadBalancerType",
            "Forward",
            "LoadBalancerName",
            "VpcId",
            "Number",
            "InternetAccessible",
            "Tags",
            "ClientToken",
            "LoadBalancerPassToTarget",
            "SubnetId",
        ],
    )?;
    let token = text(payload, "ClientToken")?;
    if let Some(answer) = state.tokens.get(&token) {
        return Ok(answer.clone());
    }
    let vpc = text(payload, "VpcId")?;
    if !state.vpcs.contains_key(&vpc) {
        return error("ResourceNotFound", format!("{vpc} not found"));
    }
    let balancer = state.new_id("lb");
    let made = json!({
        "LoadBalancerId": balancer, "LoadBalancerName": text(payload, "LoadBalancerName")?, "VpcId": vpc,
        "LoadBalancerType": text(payload, "LoadBalancerType")?, "Status": 0, "LoadBalancerVips": [],
        "Tags": payload["Tags"], "LoadBalancerPassToTarget": payload["LoadBalancerPassToTarget"],
    });
    state.balancers.insert(balancer.clone(), made);
    let ids = shown(state, std::slice::from_ref(&balancer));
    let ready = balancer.clone();
    state.later(id, Some(&balancer), vec![balancer.clone()], move |state| {
        if let Some(balancer) = state.balancers.get_mut(&ready) {
            balancer["Status"] = json!(1);
            balancer["LoadBalancerVips"] = json!(["203.0.113.7"]);
        }
    });
    let answer = json!({ "LoadBalancerIds": ids, "DealName": "20260101" });
    state.tokens.insert(token, answer.clone());
    Ok(answer)
}

/// Ids as an answer has them.
fn shown(state: &State, ids: &[String]) -> Vec<String> {
    if state.settings.empty_ids { Vec::new() } else { ids.to_vec() }
}

fn create_listener(state: &mut State, payload: &Value, id: &str) -> Answer {
    known(payload, &["LoadBalancerId", "Ports", "Protocol", "ListenerNames"])?;
    let balancer = there(state, payload)?;
    free(state, &balancer)?;
    let Some(port) = payload["Ports"][0].as_i64() else {
        return error("InvalidParameter", "Ports must be a list of numbers");
    };
    let listeners = state.listeners.get(&balancer).into_iter().flatten();
    if listeners.into_iter().any(|listener| listener["Port"] == port) {
        return error("InvalidParameter.PortCheckFailed", format!("port {port} is taken"));
    }
    let listener = state.new_id("lbl");
    let made = json!({
        "ListenerId": listener, "Protocol": text(payload, "Protocol")?, "Port": port, "Rules": [],
        "ListenerName": payload["ListenerNames"][0],
    });
    let owner = balancer.clone();
    state.later(id, Some(&balancer), Vec::new(), move |state| state.listeners.entry(owner).or_default().push(made));
    Ok(json!({ "ListenerIds": shown(state, &[listener]) }))
}

/// The listener that the call names.
fn listener<'s>(state: &'s mut State, balancer: &str, id: &str) -> Result<&'s mut Value, (String, String)> {
    let mut listeners = state.listeners.get_mut(balancer).into_iter().flatten();
    match listeners.find(|listener| listener["ListenerId"] == *id) {
        Some(listener) => Ok(listener),
        None => error("InvalidParameter.ListenerIdNotFound", format!("{id} not found")),
    }
}

fn rules(listener: &mut Value) -> &mut Vec<Value> {
    listener["Rules"].as_array_mut().expect("a list")
}

const HEALTH: [&str; 10] = [
    "HealthSwitch",
    "TimeOut",
    "IntervalTime",
    "HealthNum",
    "UnHealthNum",
    "HttpCode",
    "HttpCheckPath",
    "HttpCheckDomain",
    "HttpCheckMethod",
    "SourceIpType",
];

fn create_rule(state: &mut State, payload: &Value, id: &str) -> Answer {
    known(payload, &["LoadBalancerId", "ListenerId", "Rules"])?;
    let (balancer, wanted) = (there(state, payload)?, text(payload, "ListenerId")?);
    free(state, &balancer)?;
    listener(state, &balancer, &wanted)?;
    let rule = &payload["Rules"][0];
    known(rule, &["Domain", "Url", "Scheduler", "HealthCheck"])?;
    known(&rule["HealthCheck"], &HEALTH)?;
    let location = state.new_id("loc");
    let made = json!({
        "LocationId": location, "ListenerId": wanted, "Domain": text(rule, "Domain")?, "Url": text(rule, "Url")?,
        "Scheduler": text(rule, "Scheduler")?, "HealthCheck": rule["HealthCheck"],
    });
    let (owner, place) = (balancer.clone(), location.clone());
    state.later(id, Some(&balancer), Vec::new(), move |state| {
        if let Ok(listener) = listener(state, &owner, &wanted) {
            rules(listener).push(made);
            state.targets.insert(place, Vec::new());
        }
    });
    Ok(json!({ "LocationIds": shown(state, &[location]) }))
}

fn modify_rule(state: &mut State, payload: &Value, id: &str) -> Answer {
    known(payload, &["LoadBalancerId", "ListenerId", "LocationId", "HealthCheck", "Scheduler"])?;
    let (balancer, wanted) = (there(state, payload)?, text(payload, "ListenerId")?);
    free(state, &balancer)?;
    let location = text(payload, "LocationId")?;
    let (owner, payload) = (balancer.clone(), payload.clone());
    state.later(id, Some(&balancer), Vec::new(), move |state| {
        let Ok(listener) = listener(state, &owner, &wanted) else { return };
        for rule in rules(listener).iter_mut().filter(|rule| rule["LocationId"] == *location) {
            rule["HealthCheck"] = payload["HealthCheck"].clone();
            rule["Scheduler"] = payload["Scheduler"].clone();
        }
    });
    Ok(json!({}))
}

fn describe_targets(state: &mut State, payload: &Value) -> Answer {
    known(payload, &["LoadBalancerId", "ListenerIds"])?;
    let balancer = there(state, payload)?;
    let listeners = state.listeners.get(&balancer).cloned().unwrap_or_default();
    let listeners: Vec<Value> = listeners
        .into_iter()
        .map(|listener| {
            let rules = listener["Rules"].as_array().into_iter().flatten().map(|rule| {
                let location = rule["LocationId"].as_str().unwrap_or_default();
                let targets = state.targets.get(location).into_iter().flatten().map(|target| {
                    let instance = target["InstanceId"].as_str().and_then(|id| state.instances.get(id));
                    let mut target = target.clone();
                    target["InstanceName"] = json!(instance.map(|found| &found["InstanceName"]));
                    target
                });
                json!({ "LocationId": location, "Targets": targets.collect::<Vec<_>>() })
            });
            json!({ "ListenerId": listener["ListenerId"], "Rules": rules.collect::<Vec<_>>() })
        })
        .collect();
    Ok(json!({ "Listeners": listeners }))
}

/// The rule that the call names, and the targets in it.
fn targets_of(state: &State, payload: &Value) -> Result<(String, String, Vec<Value>), (String, String)> {
    let balancer = there(state, payload)?;
    free(state, &balancer)?;
    let location = text(payload, "LocationId")?;
    let Some(_) = state.targets.get(&location) else {
        return error("InvalidParameter.LocationNotFound", format!("{location} not found"));
    };
    let wanted = payload["Targets"].as_array().cloned().unwrap_or_default();
    match wanted.len() {
        1..=20 => Ok((balancer, location, wanted)),
        count => error("InvalidParameterValue.Length", format!("{count} targets")),
    }
}

fn same(one: &Value, other: &Value) -> bool {
    one["InstanceId"] == other["InstanceId"] && one["Port"] == other["Port"]
}

fn register(state: &mut State, payload: &Value, id: &str) -> Answer {
    known(payload, &["LoadBalancerId", "ListenerId", "LocationId", "Targets"])?;
    let (balancer, location, wanted) = targets_of(state, payload)?;
    for target in &wanted {
        known(target, &["InstanceId", "Port", "Weight", "Type"])?;
        let instance = state.instances.get(&text(target, "InstanceId")?);
        if instance.is_none_or(|instance| instance["InstanceState"] != "RUNNING") || !target["Port"].is_i64() {
            return error("InvalidParameter", "a target that is not running, or no port");
        }
    }
    state.later(id, Some(&balancer), Vec::new(), move |state| {
        let targets = state.targets.entry(location).or_default();
        for mut target in wanted {
            target["Weight"] = target["Weight"].as_i64().unwrap_or(10).into();
            targets.retain(|found| !same(found, &target));
            targets.push(target);
        }
    });
    Ok(json!({}))
}

fn modify_weight(state: &mut State, payload: &Value, id: &str) -> Answer {
    known(payload, &["LoadBalancerId", "ListenerId", "LocationId", "Targets", "Weight"])?;
    let (balancer, location, wanted) = targets_of(state, payload)?;
    let present = state.targets.get(&location).cloned().unwrap_or_default();
    if !wanted.iter().all(|target| present.iter().any(|found| same(found, target))) {
        return error("InvalidParameter", "a target that is not registered");
    }
    if wanted.iter().any(|target| !target["Weight"].is_i64()) {
        return error("InvalidParameter", "Weight must be a number");
    }
    state.later(id, Some(&balancer), Vec::new(), move |state| {
        for found in state.targets.entry(location).or_default() {
            if let Some(target) = wanted.iter().find(|target| same(found, target)) {
                found["Weight"] = target["Weight"].clone();
            }
        }
    });
    Ok(json!({}))
}

fn healths(state: &State, balancer: &str) -> Vec<Value> {
    let listeners = state.listeners.get(balancer).into_iter().flatten();
    let listener = |listener: &Value| {
        let rules = listener["Rules"].as_array().into_iter().flatten().map(|rule| {
            let location = rule["LocationId"].as_str().unwrap_or_default();
            let targets = state.targets.get(location).into_iter().flatten().map(
                |target| json!({ "TargetId": target["InstanceId"], "Port": target["Port"], "HealthStatus": true }),
            );
            json!({ "LocationId": location, "Targets": targets.collect::<Vec<_>>() })
        });
        json!({ "ListenerId": listener["ListenerId"], "Rules": rules.collect::<Vec<_>>() })
    };
    listeners.map(listener).collect()
}
